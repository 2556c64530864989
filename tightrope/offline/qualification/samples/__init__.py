"""The rows that a qualification judges: those of a file, or kept rows of traffic."""
