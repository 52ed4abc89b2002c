"""What commands print: one JSON object on stdout, or text for people; progress goes to stderr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console

__all__ = ["clock", "echo_json", "stderr", "stdout"]


def stdout() -> Console:
    """A console for results; plain text when it is piped."""
    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """A console for progress, which never mixes with results."""
    return Console(stderr=True, highlight=False)


def echo_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line; bytes of a path that are no UTF-8 stay as escapes."""
    typer.echo(json.dumps(value, ensure_ascii=True))


def clock(seconds: float) -> str:
    """A time within a video.

    >>> clock(3.26), clock(75), clock(3725)
    ('0:03.3', '1:15.0', '1:02:05.0')
    """
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"
