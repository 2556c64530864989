"""Records as bytes, and payload events of foreign servers."""
