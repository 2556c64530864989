"""Scopes that no configuration declares."""
