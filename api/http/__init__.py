"""HTTP: the server, and what all views share."""
