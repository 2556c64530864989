"""The HTTP API beside inference: health, metadata, status, orders, deployments, labels, reports. Built on FastAPI."""
