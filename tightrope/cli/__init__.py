"""The command line: one command a function, loading only what it needs."""
