"""The cost of each model by day, on disk."""
