"""The kinds of decision: what a model's outputs decide, how a row is read, and how two readings are compared."""
