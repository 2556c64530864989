"""Reliability curves: how often each of both models is right at the confidence that it gives, with bands."""
