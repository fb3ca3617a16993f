"""Floor 4: micro-batching, the CPU steps, the reaper."""
