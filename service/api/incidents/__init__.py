"""Incidents for people: their list, the moves in words, and the file to take away."""
