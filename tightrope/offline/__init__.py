"""Commands that serve nothing: thresholds, limits, drift reports."""
