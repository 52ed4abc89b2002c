"""Reads JSON lines for the readers of graphs: one object a line, a bad line named."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hgrkit.errors import GraphError

__all__ = ["json_objects"]


def json_objects(lines: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every line's number, from 1, and its object; blank lines are passed over.

    Args:
        lines: the file's lines.
        path: the file, for the message.

    Raises:
        GraphError: if a line is no JSON object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise GraphError(f"{path}, line {number} is no JSON: {error}.") from error
        if not isinstance(record, dict):
            raise GraphError(f"{path}, line {number} must be a JSON object, got {type(record).__name__}.")
        yield number, record
