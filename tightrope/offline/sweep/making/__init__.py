"""Makers of variants: compressed models from the baseline alone, each with a manifest. They need the extra `sweep`."""
