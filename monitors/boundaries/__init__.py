"""The boundaries of sequential tests: where evidence is enough to act."""
