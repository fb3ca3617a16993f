"""Measurements: ``python -m benchmarks NAME --json``. Each module with a function ``run`` is one benchmark."""
