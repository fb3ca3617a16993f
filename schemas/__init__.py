"""Floor 2: the shapes of requests and responses."""
