"""Entry point of `python -m tightrope`."""

from tightrope.cli.main import main

main()
