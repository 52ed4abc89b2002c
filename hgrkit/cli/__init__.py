"""The command line: `hgrkit index`, `hgrkit search` and their kin."""

from hgrkit.cli.app import app, main

__all__ = ["app", "main"]
