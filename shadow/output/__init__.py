"""The output of a judge: modes for gateways, alerts for people, and metrics."""
