"""The configuration of the process itself: its logs, the limits of its callers, and how it tries candidates."""
