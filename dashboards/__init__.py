"""Grafana dashboards as code, the rules of alerts, and how they come to where they are needed."""

GRAFANA, RUNBOOK = "https://grafana.example.org", "https://runbooks.example.org/tightrope"
GATEWAY = "https://tightrope.example.org"
"""What stands in the rules for the addresses of yours."""
