"""Rows drawn for labels, and what their labels may veto."""
