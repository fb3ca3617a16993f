"""Floor 3: what pipelines there are, and which steps a job needs."""
