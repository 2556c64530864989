"""Builder of the demo's models and traffic. Not part of the wheel; run it with `make demo-data`."""
