"""Commands for API keys, limits and use."""
