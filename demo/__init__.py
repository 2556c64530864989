"""The demonstration: real survey rows, one baseline, two good and two bad compressed models, and their builder.

The committed files (``models/``, ``data/``, ``manifest.json``) are all that the demonstration needs. `demo.build` makes
them again; only the builder needs the libraries of ``requirements-builder.lock``.
"""
