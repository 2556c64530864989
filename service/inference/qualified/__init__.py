"""The qualification of a pair when it is loaded: its statement, its limits, and its golden answers."""
