"""What is known of installed parsers before any of them is imported."""

from __future__ import annotations

import pytest

from hgrkit.errors import PluginError
from hgrkit.parsing.registry import MODELS_GROUP, PARSERS, installed_parsers, load_parser

pytestmark = pytest.mark.skipif(not PARSERS.plugins(), reason="hgrkit is not installed")

GROUP = "hgrkit.parsers"


def known(name):
    return next(parser for parser in installed_parsers() if parser.name == name)


def test_a_broken_plugin_is_listed_and_fails_only_when_used(install_plugin):
    install_plugin(GROUP, "torn", source="1 / 0", distribution="torn-parser", version="2.5")
    torn = known("torn")
    assert (torn.distribution, torn.version, torn.models) == ("torn-parser", "2.5", None)
    with pytest.raises(PluginError, match=r"'torn' \(torn-parser 2\.5\) cannot be loaded.*ZeroDivisionError"):
        load_parser("torn")


def test_hgrkits_own_parsers_are_listed_like_any_other():
    assert {"lark", "stanza", "precomputed"} <= {parser.name for parser in installed_parsers()}
    assert known("lark").distribution == "hgrkit"
    assert known("lark").models is True


def test_a_package_of_models_is_looked_for_and_not_imported(install_plugin):
    install_plugin(MODELS_GROUP, "lark2", source="1 / 0", distribution="big", target="")
    install_plugin(GROUP, "lark2", source="", distribution="small")
    assert (known("lark2").models, known("lark2").models_at) == (True, "big_module")


@pytest.mark.parametrize(
    ("source", "models", "words"),
    [
        ("def thing():\n    return '/models'", True, "/models"),
        ("def thing():\n    return None", False, "not found"),
        ("def thing():\n    return 1 / 0", None, "ZeroDivisionError"),
    ],
    ids=["there", "missing", "fails"],
)
def test_a_plugin_may_say_where_its_models_are(install_plugin, source, models, words):
    install_plugin(GROUP, "own", distribution="own", source=source)
    install_plugin(MODELS_GROUP, "own", distribution="own", source=source)
    assert known("own").models is models
    assert words in known("own").models_at


def test_two_distributions_with_one_name_are_both_named(install_plugin):
    install_plugin(GROUP, "twin", distribution="one", version="1.0")
    install_plugin(GROUP, "twin", distribution="two", version="2.0")
    for use in (installed_parsers, lambda: load_parser("twin")):
        with pytest.raises(PluginError, match=r"one 1\.0 and two 2\.0 both provide a parser named 'twin'"):
            use()
