"""Routes of API keys, limits and use."""
