"""Floor 1: writing to utterances. Imports `core` alone."""
