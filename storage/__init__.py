"""Floor 1: ledger, objects, API keys and the worker registry."""
