"""The pages for people on the port of a judge."""
