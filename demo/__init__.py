"""The demonstration: real survey rows, one baseline, two good and two bad compressed models, and their builder.

The committed files (``models/``, ``data/``) are all that the demonstration needs. `python -m tightrope.demo.builder`
makes them again; it needs the packages of ``builder/requirements.lock``.
"""
