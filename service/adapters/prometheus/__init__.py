"""Metrics: their catalogue, and prometheus_client behind it."""
