"""Copies of the incident files that judges of a cluster publish: their pieces, and how these become files again."""
