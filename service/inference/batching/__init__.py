"""Batches of queued requests and their runs."""
