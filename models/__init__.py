"""Floor 2: the catalog of models, their weights, and one folder per family."""
