"""What each step of a plan does."""
