"""The ledger in Redis: what there is, and every change of it."""
