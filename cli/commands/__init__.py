"""The commands of ``chorus``."""
