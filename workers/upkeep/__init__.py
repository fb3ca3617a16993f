"""The reaper, and the sweep that it runs."""
