"""The models that a qualification is about: their names, their digests, and where their statement stands."""
