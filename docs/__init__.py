"""Documentation pages, and the generators of their tables and diagrams."""
