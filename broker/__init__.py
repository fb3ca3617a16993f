"""Floor 1: the Celery app, the messages it carries, and dispatch."""
