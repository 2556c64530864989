"""Composition: gateway, worker and judge in one process, or as the processes of a cluster."""
