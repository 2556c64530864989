"""Benchmarks: commands that measure the product's guarantees and speed, and print the results."""
