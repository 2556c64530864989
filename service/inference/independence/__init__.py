"""Independence of the rows of a run."""
