"""Commands that serve no requests: refusal thresholds, monitor limits, drift reports."""
