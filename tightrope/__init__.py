"""Tightrope: serve a compressed model, shadow its baseline, and fall back where the compressed one does harm."""

__version__ = "0.1.0"
