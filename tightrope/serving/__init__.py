"""Modules that run a serving process: its HTTP server, the processes that share its port, followers and schedules."""
