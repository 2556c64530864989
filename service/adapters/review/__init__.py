"""Rows that people review."""
