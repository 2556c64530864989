"""Spans of answered requests, exported to an OpenTelemetry collector off the request path."""
