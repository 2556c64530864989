"""Intervals of the rates and means that the monitors watch: how large a difference is now, and since when."""
