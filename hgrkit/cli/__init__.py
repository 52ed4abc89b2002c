"""The command line: `hgrkit index`, `hgrkit search` and the other commands."""

from hgrkit.cli.app import command_line, main

__all__ = ["command_line", "main"]
