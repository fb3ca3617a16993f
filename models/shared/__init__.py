"""What model families share: runtimes and devices, failures, recordings, noise."""
