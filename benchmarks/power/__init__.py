"""The same streams for every method: false alarms against delay. `make bench-power` writes docs/power.md from it."""
