"""What changed between the beginning of a run and now, in the words of its config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["settings_changes"]

_CHANGEABLE = frozenset({"device", "save_every"})
"""Settings that may differ when a run goes on: they change no number on the same machine."""

_DATA = {
    "train": "[data.train]",
    "dev": "[data.dev]",
    "paraphrases": "[data.paraphrases]",
    "foils": "[data.foils]",
}
_COUNTS = ("clips", "captions", "views", "foils")


def settings_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two of `run_settings`, most telling first; empty if nothing that matters does.

    >>> settings_changes({"training": {"epochs": 2}}, {"training": {"epochs": 3}})
    ['[training] epochs was 2, is 3']
    """
    said = _differences(before.get("training", {}), now.get("training", {}), "[training] ")
    about_before, about_now = before.get("about", {}), now.get("about", {})
    for table in ("model", "loss"):  # as the config has them, which the command hands over
        said += _tables(about_before, about_now, table)
    others = {name for name in (*about_before, *about_now) if name not in ("model", "loss")}
    said += _differences(_only(about_before, others), _only(about_now, others), "about.")
    data = [_data(name, before.get(name), now.get(name)) for name in _DATA]
    said += [change for change in data if change is not None]
    return said or _made(before, now)


def _tables(before: Mapping[str, Any], now: Mapping[str, Any], table: str) -> list[str]:
    """Changes of a table of a config and of the tables below it."""
    old, new = before.get(table) or {}, now.get(table) or {}
    nested = [name for name in (*old, *new) if isinstance(old.get(name, new.get(name)), Mapping)]
    found = _differences(_without(old, nested), _without(new, nested), f"[{table}] ")
    for name in dict.fromkeys(nested):
        found += _differences(old.get(name) or {}, new.get(name) or {}, f"[{table}.{name}] ")
    return found


def _data(name: str, before: Any, now: Any) -> str | None:
    """How one of the tables of data changed."""
    table = _DATA[name]
    if before == now:
        return None
    if before is None or now is None:
        return f"{table} was {_whether(before)}, is {_whether(now)}"
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        counts = [count for count in _COUNTS if before.get(count) != now.get(count)]
        if counts:
            told = " and ".join(f"{before.get(count)} {count}" for count in counts)
            return f"{table} had {told}, has {' and '.join(str(now.get(count)) for count in counts)}"
        return f"{table} has other {'sentences' if name == 'foils' else 'captions or features'} than it had"
    return f"{table} has other captions than it had"


def _made(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Changes of a model or a loss that no setting explains: those that a program makes itself."""
    said = _differences(before.get("loss", {}), now.get("loss", {}), "the loss's ")
    said += _differences(before.get("model", {}), now.get("model", {}), "the model's ")
    old, new = before.get("weights", {}), now.get("weights", {})
    if old.get("frozen") != new.get("frozen"):
        said.append("other weights of the model are frozen than were")
    if not said and old != new:
        said.append(f"the model had {old.get('numbers')} numbers, has {new.get('numbers')} or others in shape")
    return said


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], where: str) -> list[str]:
    """What differs, as `name was this, is that`."""
    found = []
    for name in [*before, *(name for name in now if name not in before)]:
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differences(old, new, f"{where}{name}.")
        elif old != new and name not in _CHANGEABLE:
            found.append(f"{where}{name} was {_shown(old)}, is {_shown(new)}")
    return found


def _shown(value: Any) -> str:
    return "'none'" if value is None else repr(value)


def _whether(value: Any) -> str:
    return "not there" if value is None else "there"


def _only(table: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name in names}


def _without(table: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name not in names}
