"""Composition: gateway, worker and judge in one process, or as processes of a cluster."""
