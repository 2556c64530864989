"""The builder of the demo's models and traffic. Not in the wheel: `make demo-data` runs it."""
