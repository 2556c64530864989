"""Signatures of statements: the only door to securesystemslib and its cryptography. They need the extra `signed`."""
