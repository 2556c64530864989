"""Grafana dashboards as code: nothing yet, they come with the operations issue."""
