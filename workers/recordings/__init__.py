"""Recordings on their way to samples."""
