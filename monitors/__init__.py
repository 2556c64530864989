"""Judging a model pair with pure functions over records: no clock, I/O, logging or environment; numpy only."""
