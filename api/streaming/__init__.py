"""Responses that go on while a job runs."""
