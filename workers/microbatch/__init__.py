"""Micro-batches: forming them, running them, and Celery's consumer around them."""
