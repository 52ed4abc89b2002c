"""The public names, fixed in a list, and what importing them costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import hgrkit
from hgrkit import errors

PUBLIC = [
    "CaptionedClips",
    "Description",
    "DuplicateGroup",
    "Edge",
    "Excluded",
    "GraphBatch",
    "HgrModel",
    "HgrkitError",
    "HingeLoss",
    "Hit",
    "IndexReport",
    "InfoNCE",
    "Level",
    "Matcher",
    "Node",
    "PerLevel",
    "Phrase",
    "RankedSentence",
    "Retriever",
    "RoleGraph",
    "SearchResult",
    "SentenceTextEncoder",
    "Span",
    "TextEncoder",
    "TrainConfig",
    "Trainer",
    "Tuning",
    "VideoEncoder",
    "VideoFeatures",
    "Vocabulary",
    "__version__",
    "benchmark",
    "calibrate",
    "evaluate",
    "load_model",
    "save_model",
]
"""Adding a name is a decision, removing or renaming one a breaking change: both belong in the changelog."""

HEAVY = ["torch", "stanza", "av", "h5py", "hnswlib", "onnxruntime", "lark", "numpy", "safetensors", "typer"]
"""Packages that `import hgrkit` must leave alone; each loads when a name that needs it is first used."""


def modules_after(statement: str) -> list[str]:
    program = f"import sys, json\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_public_names_are_these():
    assert sorted(hgrkit.__all__) == PUBLIC


def test_dir_lists_the_public_names():
    assert set(PUBLIC) <= set(dir(hgrkit))


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_had(name):
    assert getattr(hgrkit, name) is not None


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="Retreiver"):
        hgrkit.Retreiver  # noqa: B018


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in {"Level", "__version__"}])
def test_a_public_name_is_documented(name):
    assert getattr(hgrkit, name).__doc__


def test_importing_hgrkit_loads_no_heavy_package():
    loaded = {module.split(".")[0] for module in modules_after("import hgrkit")}
    assert not loaded & set(HEAVY)


def test_importing_hgrkit_loads_few_modules():
    cost = len(modules_after("import hgrkit")) - len(modules_after("pass"))
    assert cost <= 60, "far below a tenth of what torch loads (over 1,000 modules)"


def test_role_graphs_need_no_heavy_package():
    loaded = {module.split(".")[0] for module in modules_after("from hgrkit import RoleGraph, Span, HgrkitError")}
    assert not loaded & set(HEAVY)


def test_every_error_is_also_a_builtin_error():
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, errors.HgrkitError)
        if name != "HgrkitError":
            builtin = [base for base in error.__mro__ if base.__module__ == "builtins"]
            assert builtin[0] is not Exception, f"{name} should also be the builtin error that it specialises"


def test_contract_suites_are_reached_from_the_package_alone():
    code = "import hgrkit; assert hgrkit.testing.ParserContract and hgrkit.parsing.LarkParser"
    subprocess.run([sys.executable, "-c", code], check=True)
