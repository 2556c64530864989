"""Verdicts and counts of one model, as people, dashboards and the status API see them."""
