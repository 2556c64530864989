"""Grafana dashboards as code, Prometheus rules, and their installation."""

GRAFANA, RUNBOOK = "https://grafana.example.org", "https://runbooks.example.org/tightrope"
GATEWAY = "https://tightrope.example.org"
"""Example addresses in the rules; `boards.render` replaces them."""
