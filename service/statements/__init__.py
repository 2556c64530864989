"""Signed statements about models: a qualification, and the approvals of it."""
