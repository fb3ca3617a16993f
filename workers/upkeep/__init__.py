"""The reaper, and what it clears away."""
