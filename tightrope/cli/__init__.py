"""The command line: one function per command; each loads only the modules that it needs."""
