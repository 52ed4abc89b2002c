"""The command line: `hgrkit index`, `hgrkit search` and their kin."""

from hgrkit.cli.app import command_line, main

__all__ = ["command_line", "main"]
