"""Runs of models under watch: each has a deadline, and a model that hangs is kept from requests."""
