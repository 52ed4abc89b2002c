"""`python -m hgrkit`: the command line without its script."""

from hgrkit.cli import main

main()
