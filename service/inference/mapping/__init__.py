"""The mapping between the tensors of callers and those of each model of a pair."""
