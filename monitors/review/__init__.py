"""Opinions of people about drawn rows."""
