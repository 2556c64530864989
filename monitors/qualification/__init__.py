"""Qualification: criteria fixed in advance, exact proofs on a file of rows, and the verdict before a model serves."""
