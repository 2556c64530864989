"""The demo: a replay of real traffic through one gateway, or through a cluster."""
