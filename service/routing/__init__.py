"""Which role answers: the router, the control records that move it, and the limit of a fallback."""
