"""Everything that touches the outside world: one port (ports.py), one adapter a file."""
