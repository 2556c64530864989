"""The arithmetic of what a compressed model saves, and of what its watch costs."""
