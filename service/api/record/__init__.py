"""The record of incidents over HTTP."""
