"""The demo's story, on one machine and on a cluster."""
