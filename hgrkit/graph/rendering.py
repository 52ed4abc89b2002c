"""Renders the templates of `hgrkit/pages/templates`: every page and picture that is written in HTML or SVG."""

from __future__ import annotations

import base64
import unicodedata
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["render"]

_TEMPLATES = Path(__file__).parents[1] / "pages" / "templates"


def render(template: str, **values: Any) -> str:
    """A template filled with values.

    All values are escaped, and characters that XML cannot hold are replaced, so that a file name or a sentence is
    shown as text whatever it holds. Jinja2 is imported on the first call.

    Args:
        template: a file's name in `hgrkit/pages/templates`.
        values: what the template's expressions name; one that is missing is an error.
    """
    return _environment().get_template(template).render(values).lstrip()  # of the blank lines between macros


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    environment.filters["sha256"] = lambda text: base64.b64encode(sha256(text.encode()).digest()).decode("ascii")
    environment.filters["item_of"] = lambda position, sequence: sequence[position]
    return environment


def _finalize(value: Any) -> Any:
    # A plain string is text from outside; what a macro or the `safe` filter returns has `__html__` and stays.
    return _legal(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _legal(text: str) -> str:
    if text.isprintable():  # nearly always, and quickly seen even for a picture in base64
        return text
    return "".join("\ufffd" if _is_illegal(character) else character for character in text)


def _is_illegal(character: str) -> bool:
    return character not in "\n\t\r" and unicodedata.category(character) in ("Cc", "Cs", "Cn")
