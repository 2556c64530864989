"""Tightrope's face: the command line, and the wiring of everything in one process."""
