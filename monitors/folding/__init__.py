"""Everything that changes a model's state, as inputs of one pure function."""
