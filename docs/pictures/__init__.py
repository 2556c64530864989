"""Draws the dashboards as they look with the demo's data, by Grafana's own components: `make pictures`."""
