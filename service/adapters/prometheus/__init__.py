"""Metrics: their catalogue, and their implementation with prometheus_client."""
