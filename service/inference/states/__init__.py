"""States that callers send back: the role that wrote one answers it."""
