"""`tightrope doctor`: questions to a running cluster, and findings about its answers."""
