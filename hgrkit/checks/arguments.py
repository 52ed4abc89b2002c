"""Checks arguments of public functions: one error that shows the value, what was expected and what to do.

Each check takes the argument's name for the message, and raises `ConfigError`, or the `error` that it is given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Set
from numbers import Real
from operator import index
from os import PathLike, fspath
from typing import Any, TypeVar
from urllib.parse import unquote

import attrs

from hgrkit.errors import ConfigError, HgrkitError

__all__ = [
    "Range",
    "check_callable",
    "check_captions",
    "check_choice",
    "check_flag",
    "check_instance",
    "check_number",
    "check_path",
    "check_sequence",
    "check_text",
    "check_weights",
    "check_whole",
    "finite_number",
    "plain",
    "shown",
    "url_remark",
]

_SHOWN = 60
"""Characters of a value that a message shows."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
"""`pathlib` makes one slash of two; a scheme has two letters at least, a drive of Windows one."""

T = TypeVar("T")
Error = type[HgrkitError]


def shown(value: object) -> str:
    """A value in one line: arrays by type and shape, classes and plain objects by name, the rest by its repr.

    >>> shown("5"), shown(int), shown(object())
    ("'5'", 'the class int', 'an object of type object')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape and dtype is not None:
        return f"{type(value).__name__} {list(shape)} of {dtype}"
    written = repr(value)
    text = " ".join(written.split())
    if text.startswith("<") or ("\n" in written and not isinstance(value, list | tuple | dict)):
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


@attrs.frozen
class Range:
    """An interval, read from the words that describe it.

    >>> 1 in Range("[0, 1)"), 0.5 in Range("[0, 1)")
    (False, True)

    Attributes:
        text: such as `[0, 1)` or `(0, inf)`.
    """

    text: str

    def __contains__(self, value: float) -> bool:
        low, high = (float(end) for end in self.text[1:-1].split(","))
        above = value >= low if self.text[0] == "[" else value > low
        return above and (value <= high if self.text[-1] == "]" else value < high)


def plain(value: Any) -> Any:
    """A scalar of numpy's as Python's own number; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


def check_whole(
    name: str, value: object, *, least: int | None = 1, most: int | None = None, error: Error = ConfigError
) -> int:
    """A whole number, also one of numpy's.

    >>> check_whole("k", 5)
    5
    """
    if type(value) is int and most is None and (least is None or value >= least):  # as most are
        return value
    try:
        number = index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = None
    if number is None or _is_flag(value):
        above = "" if least is None else f" of at least {least}" if most is None else f" from {least} to {most}"
        raise error(f"{name} must be a whole number{above}, got {shown(value)}.")
    if least is not None and number < least:
        raise error(f"{name} must be at least {least}, got {number}.")
    if most is not None and number > most:
        raise error(f"{name} must be at most {most}, got {number}.")
    return number


def check_number(name: str, value: object, within: str = "(-inf, inf)", *, error: Error = ConfigError) -> float:
    """A finite number of an interval, also one of numpy's.

    >>> check_number("dropout", 0.5, "[0, 1)")
    0.5
    """
    number = finite_number(value)
    if number is not None and number in Range(within):
        return number
    bounds = {"(-inf, inf)": " that is finite", "(0, inf)": " above 0", "[0, inf)": " of at least 0"}
    raise error(f"{name} must be a number{bounds.get(within, f' in {within}')}, got {shown(value)}.")


def check_weights(name: str, values: object, of: tuple[str, ...]) -> tuple[float, ...]:
    """Weights, one for each of some things; none negative and not all 0."""
    given: tuple[object, ...] = ()
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping | Set):
        given = tuple(values)
    weights = [number for number in map(finite_number, given) if number is not None and number >= 0]
    if len(weights) != len(of) or len(given) != len(of) or not any(weights):
        named = ", ".join(of[:-1]) + f" and {of[-1]}"
        raise ConfigError(
            f"{name} must be {len(of)} numbers, for {named}, finite, none negative and not all 0; "
            f"got {shown(given or values)}."
        )
    return tuple(weights)


def check_flag(name: str, value: object) -> bool:
    """`True` or `False`, also numpy's."""
    if not _is_flag(value):
        raise ConfigError(f"{name} must be True or False, got {shown(value)}.")
    return bool(value)


def check_text(name: str, value: object, *, error: Error = ConfigError, hint: str = "") -> str:
    """A string."""
    if isinstance(value, str):
        return str(value)
    raise error(f"{name} must be a string{hint and f' {hint}'}, got {shown(value)}.")


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """One of a few words."""
    words = list(choices)
    if not isinstance(value, str) or value not in words:
        listed = ", ".join(map(repr, words[:-1])) + f" or {words[-1]!r}"
        raise ConfigError(f"{name} must be {listed}, got {shown(value)}.")


def check_path(name: str, value: object, *, error: Error = ConfigError, hint: str = "") -> str:
    """A path as text; `str` or anything that is `os.PathLike`."""
    path = fspath(value) if isinstance(value, str | PathLike) and not isinstance(value, type) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise error(f"{name} must be a path (a string or a pathlib.Path), got {shown(value)}{hint}.")
    return path


def check_captions(name: str, captions: object) -> dict[str, list[str]]:
    """Captions by the name of the video that they describe."""
    if not isinstance(captions, Mapping):
        raise ConfigError(
            f"{name} must be captions by the video's name, such as {{'a.mp4': ['a dog runs']}}, "
            f"got {shown(captions)}."
        )
    return {
        check_text(f"a video's name in {name}", video): check_sequence(
            f"{name}[{video!r}]", own, str, of="sentences"
        )
        for video, own in captions.items()
    }


def check_callable(name: str, value: object, *, takes: str) -> None:
    """A function, or `None`."""
    if value is not None and not callable(value):
        raise ConfigError(f"{name} must be a function that takes {takes}, or None, got {shown(value)}.")


def check_instance(
    name: str, value: object, kind: type[T] | tuple[type[T], ...], *, error: Error = ConfigError, hint: str = ""
) -> T:
    """An object of a class.

    Args:
        name: of the argument.
        value: what was given.
        kind: its class, or several.
        error: what is raised.
        hint: what to do, as the end of a sentence.
    """
    if isinstance(value, kind):
        return value
    kinds = kind if isinstance(kind, tuple) else (kind,)
    expected = " or ".join(each.__name__ for each in kinds)
    article = "an" if expected[0] in "AEIOU" or expected.startswith("Hgr") else "a"
    if not hint and isinstance(value, type) and issubclass(value, kinds):
        hint = f"make one: {value.__name__}(...)"
    raise error(f"{name} must be {article} {expected}, got {shown(value)}{hint and f'; {hint}'}.")


def check_sequence(
    name: str,
    values: object,
    kind: type[T] | tuple[type[T], ...] | None,
    *,
    of: str,
    error: Error = ConfigError,
    each: Callable[[str, Any], T] | None = None,
    hint: str = "put it into a list",
) -> list[T]:
    """Several things in an order; anything that can be gone through, but no string, set or mapping.

    >>> check_sequence("texts", ("a dog", "a cat"), str, of="sentences")
    ['a dog', 'a cat']

    Args:
        name: of the argument.
        values: what was given.
        kind: the class of each, or several; `None` leaves that to `each`.
        of: what they are, in words.
        error: what is raised.
        each: checks one of them by its name in a message, in place of `kind`.
        hint: what to do where one of them stands alone.
    """
    one = kind is not None and isinstance(values, kind)
    alone = one or isinstance(values, str | bytes)
    if alone or isinstance(values, Mapping | Set) or not isinstance(values, Iterable) or isinstance(values, type):
        todo = f"; {hint}" if one else ""
        raise error(f"{name} must be a list of {of}, got {shown(values)}{todo}.")
    found = list(values)
    for place, value in enumerate(found):
        if each is not None:
            found[place] = each(f"{name}[{place}]", value)
        elif kind is not None and not isinstance(value, kind):
            raise error(f"{name} must be a list of {of}, but {name}[{place}] is {shown(value)}.")
    return found


def url_remark(path: str | PathLike[str]) -> str:
    """What to say of a path that is a URL; empty if it is none.

    >>> url_remark("https://example.org/a.mp4")
    "'https://example.org/a.mp4' is a URL, and hgrkit reads files; download it and give its path."
    >>> url_remark("file:///videos/a%20dog.mp4")
    "'file:///videos/a%20dog.mp4' is a URL; give the path alone: /videos/a dog.mp4"
    >>> url_remark("videos/a.mp4"), url_remark("C:/videos")
    ('', '')
    """
    found = _URL.fullmatch(fspath(path))
    if found is None:
        return ""
    scheme, slashes, rest = found.groups()
    if scheme.lower() == "file":
        host, slash, below = ("", "/", rest) if len(slashes) != 2 else rest.partition("/")
        local = unquote(slash + below if host in ("", "localhost") else f"//{rest}")
        return f"{fspath(path)!r} is a URL; give the path alone: {re.sub('^/(?=[A-Za-z]:/)', '', local)}"
    url = f"{scheme}://{rest}"
    return f"{url!r} is a URL, and hgrkit reads files; download it and give its path."


def finite_number(value: object) -> float | None:
    """A number, also one of numpy's; `None` for anything else, and for what no float holds."""
    if not isinstance(value, Real) or _is_flag(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_flag(value: object) -> bool:
    """Whether a value is a truth value of Python's or numpy's, which are whole numbers to Python."""
    return isinstance(value, bool) or (
        getattr(getattr(value, "dtype", None), "kind", "") == "b" and not getattr(value, "shape", None)
    )
