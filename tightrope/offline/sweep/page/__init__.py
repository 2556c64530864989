"""The page of a sweep: one HTML file with inline SVG, without scripts and without a network."""
