"""What the drift reports read and write on disk."""
