"""`tightrope qualify --stress`: seeded changes of the rows, the same for both models, and a search for gaps."""
