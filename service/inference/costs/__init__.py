"""The processor time of runs."""
