"""The energy of the processors, as Linux counts it."""
