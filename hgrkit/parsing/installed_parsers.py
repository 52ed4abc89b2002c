"""Which parsers are installed and whether their models are there, found without importing a parser."""

from __future__ import annotations

from importlib import metadata, util

import attrs

from hgrkit.parsing.registry import PARSERS

__all__ = ["MODELS_GROUP", "InstalledParser", "installed_parsers"]

MODELS_GROUP = "hgrkit.parser_models"
"""Entry points with a parser's name that say where its models are: `package` is looked for and not imported;
`module:function` is called without arguments and returns the place, or `None` if the models are not there."""


@attrs.frozen(kw_only=True)
class InstalledParser:
    """What is known of a parser before it is used.

    Attributes:
        name: what a user types.
        version: of the distribution.
        distribution: the package that brings it.
        models: whether its models are there; `None` if the plugin does not say.
        models_at: where they are, or what is missing.
    """

    name: str
    version: str
    distribution: str
    models: bool | None
    models_at: str

    def to_dict(self) -> dict[str, str | bool | None]:
        """The record as plain JSON types."""
        return attrs.asdict(self)


def installed_parsers() -> tuple[InstalledParser, ...]:
    """Every installed parser, by name.

    Raises:
        PluginError: if two distributions claim one name; the message names both.
    """
    hooks = {point.name: point for point in metadata.entry_points(group=MODELS_GROUP)}
    found = []
    for name in dict.fromkeys(plugin.name for plugin in PARSERS.plugins()):
        plugin = PARSERS.find(name)
        distribution, _, version = plugin.distribution.rpartition(" ")
        models, models_at = _models(hooks.get(name))
        found.append(
            InstalledParser(
                name=name, version=version, distribution=distribution, models=models, models_at=models_at
            )
        )
    return tuple(found)


def _models(hook: metadata.EntryPoint | None) -> tuple[bool | None, str]:
    if hook is None:
        return None, "the plugin does not say"
    package, _, function = hook.value.partition(":")
    if not function:
        try:
            present = util.find_spec(package) is not None
        except (ImportError, ValueError):
            present = False
        return present, package if present else f"the package {package} is not installed"
    try:
        place = hook.load()()
    except Exception as error:  # noqa: BLE001 (a broken plugin must not hide the others)
        return None, f"{hook.value} fails: {type(error).__name__}: {error}"
    return (True, str(place)) if place is not None else (False, "not found")
