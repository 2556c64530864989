"""Offline work on the audit trail: it is verified, and ids of requests are erased."""
