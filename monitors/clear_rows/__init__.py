"""Rows about which the baseline is clear."""
