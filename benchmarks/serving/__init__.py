"""Benchmark of the gateway's speed, compared with minimal servers and with other inference servers."""
