"""Named extension points: what is installed under an entry-point group, found without importing it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import attrs

from hgrkit.errors import HgrkitError, PluginError

__all__ = [
    "PLUGIN_KINDS",
    "InstalledPlugin",
    "Plugin",
    "Registry",
    "installed_plugins",
    "name_not_found",
    "plugin_errors",
]

PLUGIN_KINDS = {
    "parser": "hgrkit.parsers",
    "frame_encoder": "hgrkit.frame_encoders",
    "text_encoder": "hgrkit.text_encoders",
    "model": "hgrkit.models",
}
"""Every kind of plugin with its entry-point group."""


@attrs.frozen
class Plugin:
    """One installed entry point: its name, where it comes from, and the object that it names.

    Attributes:
        name: what a user types.
        distribution: the package that brings it, as `name version`.
        entry_point: the standard library's record of it.
    """

    name: str
    distribution: str
    entry_point: metadata.EntryPoint

    def load(self) -> Any:
        """Import the object.

        Raises:
            PluginError: if the plugin cannot be imported; the message names it and its distribution.
        """
        with plugin_errors(f"{self._described} cannot be loaded from {self.entry_point.value}"):
            return self.entry_point.load()

    def make(self, *arguments: object) -> Any:
        """Import the object, a callable, and call it.

        Raises:
            PluginError: if it cannot be imported or called; hgrkit's own errors pass as they are.
        """
        factory = self.load()
        with plugin_errors(f"{self._described} fails in {self.entry_point.value}"):
            return factory(*arguments)

    @property
    def _described(self) -> str:
        return f"the plugin {self.name!r} ({self.distribution})"


@contextmanager
def plugin_errors(what: str) -> Iterator[None]:
    """Run a block that calls a plugin; what goes wrong in it becomes a `PluginError`.

    Args:
        what: says which plugin fails and where, as the beginning of the message.

    Raises:
        PluginError: for any error of the block but hgrkit's own, which pass unchanged.
    """
    try:
        yield
    except HgrkitError:
        raise
    except Exception as error:
        raise PluginError(f"{what}: {type(error).__name__}: {error}") from error


@attrs.frozen
class Registry:
    """The plugins of one entry-point group; hgrkit's own parts register there as any other package does.

    Attributes:
        group: the entry-point group, such as `hgrkit.parsers`.
        noun: what one member is called in messages.
        not_found: the error for an unknown name.
        packages: the packages in hgrkit's own repository that bring some of the names.
    """

    group: str
    noun: str
    not_found: type[HgrkitError]
    packages: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def plugins(self) -> tuple[Plugin, ...]:
        """Everything installed, by name; nothing is imported."""
        found = {
            (point.name, point.value, _distribution(point)): point
            for point in metadata.entry_points(group=self.group)
        }
        plugins = (Plugin(name, distribution, point) for (name, _, distribution), point in found.items())
        return tuple(sorted(plugins, key=lambda plugin: (plugin.name, plugin.distribution)))

    def find(self, name: str) -> Plugin:
        """The plugin of that name.

        Raises:
            HgrkitError: the registry's `not_found` error if there is none; it lists the installed names.
            PluginError: if two distributions claim the name.
        """
        plugins = self.plugins()
        matching = [plugin for plugin in plugins if plugin.name == name]
        if not matching and name in self.packages:
            package = self.packages[name]
            raise self.not_found(
                f"the {self.noun} {name!r} is not installed; it comes with the package {package}: "
                f"from a clone of hgrkit, pip install ./plugins/{package}"
            )
        if not matching:
            raise self.not_found(name_not_found(self.noun, name, (plugin.name for plugin in plugins)))
        if len(matching) > 1:
            owners = " and ".join(plugin.distribution for plugin in matching)
            raise PluginError(f"{owners} both provide a {self.noun} named {name!r}; uninstall one of them.")
        return matching[0]

    def find_with_argument(self, name: str) -> tuple[Plugin, tuple[str, ...]]:
        """The plugin of `NAME` or of `NAME:ARGUMENT`, and the argument, if there is one.

        Raises:
            HgrkitError, PluginError: as `find` does.
        """
        plain, colon, argument = name.partition(":")
        return self.find(plain), (argument,) if colon else ()


@attrs.frozen
class InstalledPlugin:
    """What is known of a plugin before it is used: its kind, its name, and what brings it in which version."""

    kind: str
    name: str
    version: str
    distribution: str


def installed_plugins() -> tuple[InstalledPlugin, ...]:
    """Everything installed, by kind and name; nothing is imported."""
    return tuple(
        InstalledPlugin(kind, plugin.name, version, distribution)
        for kind, group in PLUGIN_KINDS.items()
        for plugin in Registry(group, kind, PluginError).plugins()
        for distribution, _, version in [plugin.distribution.rpartition(" ")]
    )


def name_not_found(noun: str, name: str, installed: Iterable[str]) -> str:
    """The message for an unknown name: what is installed, and the nearest name if one is near."""
    names = sorted(set(installed))
    listed = ", ".join(map(repr, names)) or "none"
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"no {noun} named {name!r}; installed: {listed}.{hint}"


def _distribution(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"
