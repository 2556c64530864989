"""Routing: which role answers a request, the control records that change it, and the limit of a fallback."""
