"""Requests that leave the service, to addresses that users name."""
