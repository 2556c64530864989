"""Inputs whose rows are on another axis than 0, or that all rows of a request share."""
