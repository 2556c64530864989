"""Benchmark of Tightrope's whole judgement in situations that one stream of independent rows does not show.

`make bench-power` runs it and writes its parts of docs/power.md.
"""
