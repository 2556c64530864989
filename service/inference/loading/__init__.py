"""Loading of pairs."""
