"""`python -m tightrope` is the command."""

from tightrope.cli import main

main()
