"""The review by people."""
