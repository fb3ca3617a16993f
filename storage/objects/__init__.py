"""Objects in S3-compatible storage, and their names."""
