"""The kinds of decision in the gateway: their building from the configuration, and their readings of runs."""
