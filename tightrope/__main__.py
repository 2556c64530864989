"""`python -m tightrope` is the command."""

from tightrope.cli.main import main

main()
