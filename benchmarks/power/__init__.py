"""Benchmark of the detectors' power: false alarms and delays of every method on identical streams.

`make bench-power` runs it and writes docs/power.md.
"""
