"""Pictures of the dashboards: the demo recorded by Prometheus and drawn with Grafana's own components."""
