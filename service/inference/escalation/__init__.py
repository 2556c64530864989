"""Answers of the compressed model that are asked again of the baseline."""
