"""Settings that know their default, range and meaning: how a config is declared, checked and printed."""

from __future__ import annotations

import difflib
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs

from hgrkit.checks.arguments import Range, finite_number, plain, shown
from hgrkit.errors import ConfigError

__all__ = [
    "NOTHING",
    "check_keys",
    "described",
    "like",
    "read_settings",
    "setting",
    "settings_like",
    "takes_settings",
    "to_json",
]

NOTHING = "none"
"""How a TOML file, which has no null, says that a setting is absent."""

_SIMPLE: dict[Any, tuple[type | tuple[type, ...], str]] = {
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
    bool: (bool, "true or false"),
    str: (str, "text"),
}

T = TypeVar("T")


def setting(
    default: Any = attrs.NOTHING,
    meaning: str = "",
    *,
    within: str | None = None,
    check: Callable[[Any], object] | None = None,
) -> Any:
    """A field of a config class.

    Args:
        default: its value unless given; without one it is required.
        meaning: what it is, with its unit.
        within: the range of its number, or of each of its numbers, such as `[0, 1)`.
        check: raises a `ConfigError` at what type and range cannot tell.
    """
    return attrs.field(
        default=default,
        converter=lambda value: tuple(map(plain, value)) if isinstance(value, list | tuple) else plain(value),
        validator=[_check_field, *([] if check is None else [lambda _, __, value: check(value)])],
        metadata={"meaning": meaning, "within": within},
    )


def like(cls: type, name: str, default: Any = attrs.NOTHING) -> Any:
    """A field that stands for another config's setting, with its meaning, range and check.

    Args:
        cls: the other config.
        name: of its setting.
        default: the field's value unless given; the other setting's default without one.
    """
    field = attrs.fields_dict(cls)[name]
    return attrs.field(
        default=field.default if default is attrs.NOTHING else default,
        converter=field.converter,
        validator=field.validator,
        metadata={**field.metadata, "stands_for": (cls, name)},
    )


def settings_like(cls: type, config: Any) -> dict[str, Any]:
    """What a config says of another one's settings, by the names there: its fields that are `like` those."""
    named = {field.name: field.metadata.get("stands_for", (None, "")) for field in attrs.fields(type(config))}
    return {name: getattr(config, own) for own, (of, name) in named.items() if of is cls}


def takes_settings(config: type) -> Callable[[type[T]], type[T]]:
    """Show a config's settings as arguments of a class that takes them as `**settings`.

    They stand in its signature, and in its docstring in the place of `settings`, so that `help` and the API
    reference say names, meanings and defaults, which the config alone states.
    """

    def shown_by(cls: type[T]) -> type[T]:
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(config)
        named = [*inspect.signature(cls).parameters.values()][:-1]
        for field in fields:
            default = inspect.Parameter.empty if field.default is attrs.NOTHING else field.default
            named.append(inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default))
        cls.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
        place = r"(?m)^( +)settings: .*\n(?:\1 +.*\n)*"  # from Python 3.13 on, docstrings are not indented
        meanings = [f"{field.name}: {field.metadata['meaning']}.\n" for field in fields]
        cls.__doc__ = re.sub(
            place, lambda found: "".join(found[1] + meaning for meaning in meanings), cls.__doc__ or "", count=1
        )
        return cls

    return shown_by


def read_settings(cls: type[T], table: object, where: str, **given: object) -> T:
    """Make a config of what a file says.

    Args:
        cls: an attrs class whose fields are settings.
        table: names and values; `"none"` stands for an absent value where one may be absent.
        where: how the table is called in messages, such as `[training]`.
        given: settings that the file does not say.

    Raises:
        ConfigError: if the table is no table, a key is unknown or missing, or a value does not fit.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} must be a table of settings, got {shown(table)}.")
    fields = {field.name: field for field in attrs.fields(cls) if field.name not in given}  # type: ignore[arg-type]
    required = [name for name, field in fields.items() if field.default is attrs.NOTHING]
    check_keys(where, table, known=fields, required=required)
    hints = _hints(cls)
    values = {name: _absent_or(value, hints[name]) for name, value in table.items()}
    try:
        return cls(**given, **values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def to_json(config: Any) -> dict[str, Any]:
    """Names and values as JSON and a module's constructor take them: lists, and numbers of the declared type."""
    hints = _hints(type(config))
    values = attrs.asdict(config, recurse=False)
    return {
        name: list(value) if isinstance(value, tuple) else float(value) if hints[name] is float else value
        for name, value in values.items()
    }


def check_keys(where: str, table: Mapping[str, Any], *, known: Iterable[str], required: Iterable[str]) -> None:
    """Refuse unknown and missing keys.

    Raises:
        ConfigError: if there are any; the message lists what is known.
    """
    names = list(known)
    unknown = [name for name in table if name not in names]
    if unknown:
        near = difflib.get_close_matches(unknown[0], names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(map(repr, unknown))
        raise ConfigError(f"{where} has no setting {listed}; known: {', '.join(names)}.{hint}")
    missing = [name for name in required if name not in table]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(map(repr, missing))}; known: {', '.join(names)}.")


def described(hint: Any, within: str | None = None) -> str:
    """A type in words, with the range of its numbers.

    >>> described(int | None, "[1, inf)")
    'a whole number in [1, inf) or none'
    """
    if hint in _SIMPLE:
        return _SIMPLE[hint][1] + (f" in {within}" if within and hint in (int, float) else "")
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if _is_union(hint):
        parts = [described(part, within) for part in get_args(hint) if part is not types.NoneType]
        return " or ".join([*parts, *([NOTHING] if types.NoneType in get_args(hint) else [])])
    if _is_sequence(hint):
        kinds = get_args(hint)
        length = "" if Ellipsis in kinds or len(kinds) == 1 else f" of {len(kinds)}"
        return f"a list{length}, each {described(kinds[0], within)}"
    return "a table"


def _check_field(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Refuse a value of the wrong type or out of its range."""
    hint, within = _hints(type(instance))[attribute.name], attribute.metadata["within"]
    numbers = map(finite_number, value if isinstance(value, tuple | list) else [value])
    inside = within is None or all(number in Range(within) for number in numbers if number is not None)
    if not (_fits(value, hint) and inside):
        raise ConfigError(f"{attribute.name} must be {described(hint, within)}, got {shown(value)}.")


def _hints(cls: Any) -> dict[str, Any]:
    attrs.resolve_types(cls)  # once a class; annotations are text until then
    return {field.name: field.type for field in attrs.fields(cls)}


def _absent_or(value: object, hint: Any) -> object:
    return None if value == NOTHING and _is_union(hint) and types.NoneType in get_args(hint) else value


def _fits(value: object, hint: Any) -> bool:
    if hint in _SIMPLE:
        is_number = hint in (int, float)
        return isinstance(value, _SIMPLE[hint][0]) and (not is_number or finite_number(value) is not None)
    if get_origin(hint) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(hint))
    if _is_union(hint):
        return any(_fits(value, part) for part in get_args(hint))
    return _fits_sequence(value, hint) if _is_sequence(hint) else isinstance(value, get_origin(hint) or hint)


def _fits_sequence(value: object, hint: Any) -> bool:
    kinds = get_args(hint)
    if not isinstance(value, list | tuple):
        return False
    fixed = len(kinds) > 1 and Ellipsis not in kinds
    return (not fixed or len(value) == len(kinds)) and all(_fits(item, kinds[0]) for item in value)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _is_sequence(hint: Any) -> bool:
    return get_origin(hint) in (tuple, Sequence)
