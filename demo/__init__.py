"""The demo: real survey rows, one baseline, two good and two bad compressed models, and their builder.

The demo needs only the committed files (``models/``, ``data/``). `python -m tightrope.demo.builder` rebuilds them with
the packages of ``builder/requirements.lock``.
"""
