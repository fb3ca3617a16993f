"""Floor 6: the ``chorus`` command."""
