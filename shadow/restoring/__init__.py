"""A judge's states from their snapshots, with what was lost, and times that lie in the future."""
