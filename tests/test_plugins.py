"""Plugins of an entry-point group: found without importing them, refused by name, imported one at a time."""

from __future__ import annotations

import sys

import pytest

from hgrkit.errors import ConfigError, ParserNotFoundError, PluginError
from hgrkit.model.registry import MODELS
from hgrkit.model.text.text_encoder_plugin import TEXT_ENCODER_PLUGINS
from hgrkit.parsing.registry import PARSERS, load_parser
from hgrkit.plugins import PLUGIN_KINDS, Registry, installed_plugins, name_not_found
from hgrkit.video.frame_encoder import FRAME_ENCODERS, load_frame_encoder

GROUP = "hgrkit.tests.birds"
BIRDS = Registry(group=GROUP, noun="bird", not_found=ParserNotFoundError)


def test_a_plugin_is_found_by_name_and_loaded(install_plugin):
    install_plugin(GROUP, "robin", source="thing = 'tweet'", distribution="robin-bird", version="2.5")
    plugin = BIRDS.find("robin")
    assert (plugin.name, plugin.distribution) == ("robin", "robin-bird 2.5")
    assert plugin.load() == "tweet"


def test_plugins_are_listed_by_name_and_none_is_imported(install_plugin):
    install_plugin(GROUP, "wren", source="raise RuntimeError", distribution="b")
    install_plugin(GROUP, "robin", source="raise RuntimeError", distribution="a")
    assert [plugin.name for plugin in BIRDS.plugins()] == ["robin", "wren"]
    assert not {"a_module", "b_module"} & sys.modules.keys()


def test_other_groups_are_not_seen(install_plugin):
    install_plugin(f"{GROUP}.of.prey", "hawk")
    assert BIRDS.plugins() == ()


def test_an_unknown_name_lists_what_is_installed_and_suggests_the_nearest(install_plugin):
    install_plugin(GROUP, "wren", distribution="b")
    install_plugin(GROUP, "robin", distribution="a")
    with pytest.raises(ParserNotFoundError) as caught:
        BIRDS.find("robbin")
    assert str(caught.value) == "no bird named 'robbin'; installed: 'robin', 'wren'. Did you mean 'robin'?"


def test_nothing_is_suggested_where_nothing_is_near():
    assert name_not_found("bird", "ostrich", ["wren"]) == "no bird named 'ostrich'; installed: 'wren'."
    assert name_not_found("bird", "ostrich", []) == "no bird named 'ostrich'; installed: none."


def test_a_name_that_two_distributions_bring_is_refused_and_others_are_not(install_plugin):
    install_plugin(GROUP, "robin", distribution="first", version="1.0")
    install_plugin(GROUP, "robin", distribution="second", version="2.0")
    install_plugin(GROUP, "wren", source="thing = 1", distribution="third")
    with pytest.raises(PluginError) as caught:
        BIRDS.find("robin")
    message = "first 1.0 and second 2.0 both provide a bird named 'robin'; uninstall one of them."
    assert str(caught.value) == message
    assert BIRDS.find("wren").load() == 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no feathers')", "RuntimeError: no feathers"),
        (
            "import a_package_that_is_not_there",
            "ModuleNotFoundError: No module named 'a_package_that_is_not_there'",
        ),
        ("nothing = 1", "AttributeError: .*has no attribute 'thing'"),
        ("this is no python", "SyntaxError"),
    ],
)
def test_a_broken_plugin_fails_only_when_loaded_and_is_named(install_plugin, source, reason):
    install_plugin(GROUP, "dodo", source=source, distribution="mauritius", version="0.1")
    install_plugin(GROUP, "wren", source="thing = 1", distribution="other")
    assert BIRDS.find("wren").load() == 1
    plugin = BIRDS.find("dodo")
    pattern = rf"the plugin 'dodo' \(mauritius 0\.1\) cannot be loaded from mauritius_module:thing: {reason}"
    with pytest.raises(PluginError, match=pattern) as caught:
        plugin.load()
    assert caught.value.__cause__ is not None


def test_a_plugin_makes_what_its_callable_returns(install_plugin):
    install_plugin(GROUP, "robin", source="def thing(*words):\n    return words")
    assert BIRDS.find("robin").make("a", "b") == ("a", "b")


def test_a_callable_that_fails_is_named_with_its_distribution(install_plugin):
    install_plugin(GROUP, "robin", source="def thing():\n    raise OSError('no nest')", distribution="bird")
    with pytest.raises(PluginError, match=r"'robin' \(bird 1\.0\) fails in bird_module:thing: OSError: no nest"):
        BIRDS.find("robin").make()


def test_errors_that_hgrkit_raises_on_purpose_pass_a_plugin_as_they_are(install_plugin):
    source = "from hgrkit.errors import ConfigError\ndef thing():\n    raise ConfigError('no such device')"
    install_plugin(GROUP, "robin", source=source)
    with pytest.raises(ConfigError, match="no such device"):
        BIRDS.find("robin").make()


def test_a_parser_that_cannot_be_made_is_named(install_plugin):
    source = "class thing:\n    def __init__(self):\n        raise OSError('no grammar')"
    install_plugin("hgrkit.parsers", "broken-parser", source=source)
    with pytest.raises(PluginError, match=r"'broken-parser'.*no grammar"):
        load_parser("broken-parser")


def test_a_frame_encoder_that_cannot_be_made_is_named(install_plugin):
    source = "def thing(device):\n    raise OSError(f'no weights for {device}')"
    install_plugin("hgrkit.frame_encoders", "broken-encoder", source=source)
    with pytest.raises(PluginError, match=r"'broken-encoder'.*no weights for cpu"):
        load_frame_encoder("broken-encoder", "cpu")


def test_every_kind_of_plugin_is_listed_and_none_is_imported(install_plugin):
    for kind, group in PLUGIN_KINDS.items():
        install_plugin(group, f"a-{kind}", source="raise RuntimeError", distribution="four-kinds", version="3.1")
    found = [plugin for plugin in installed_plugins() if plugin.distribution == "four-kinds"]
    assert [(plugin.kind, plugin.name, plugin.version) for plugin in found] == [
        (kind, f"a-{kind}", "3.1") for kind in PLUGIN_KINDS
    ]
    assert "four_kinds_module" not in sys.modules


def test_every_registry_of_the_package_is_a_kind_that_is_listed():
    registries = [PARSERS, FRAME_ENCODERS, TEXT_ENCODER_PLUGINS, MODELS]
    assert [registry.group for registry in registries] == list(PLUGIN_KINDS.values())


def test_a_name_may_have_an_argument(install_plugin):
    install_plugin(GROUP, "robin", source="thing = 1")
    assert [BIRDS.find_with_argument(name)[1] for name in ("robin", "robin:", "robin:a:b")] == [
        (),
        ("",),
        ("a:b",),
    ]
