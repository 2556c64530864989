"""Trials of model files in a process of their own, before they serve."""
