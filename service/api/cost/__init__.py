"""The processor time of each model over HTTP, and in a sentence."""
