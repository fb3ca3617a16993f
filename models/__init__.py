"""Floor 2: the catalog of models, their weights, and one module or folder per family."""
