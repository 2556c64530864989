"""What to read beside the code, and the generator of its tables."""
