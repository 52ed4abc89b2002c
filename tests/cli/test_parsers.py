"""Parsers on the command line: which there are, files of graphs, chains, and conversions."""

from __future__ import annotations

import json

import pytest

from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.registry import PARSERS

CAPTIONS = ("A dog runs.", "A woman throws a ball to a dog.", "")


@pytest.fixture
def captions(tmp_path):
    file = tmp_path / "captions.txt"
    file.write_text("".join(f"{caption}\n" for caption in CAPTIONS))
    return file


@pytest.mark.skipif(not PARSERS.plugins(), reason="hgrkit runs from a source tree without entry points")
def test_parsers_are_listed_with_their_packages_and_models(hgrkit, monkeypatch, tmp_path):
    monkeypatch.setenv("HGRKIT_STANZA_DIR", str(tmp_path))
    listed = {parser["name"]: parser for parser in hgrkit("parsers", "--json").json["parsers"]}
    assert listed["lark"]["distribution"] == "hgrkit"
    assert listed["lark"]["models"] is True
    assert listed["stanza"]["models"] is False
    shown = hgrkit("parsers").out.splitlines()
    assert shown[0].split() == ["parser", "version", "distribution", "models", "where"]
    assert any(line.split()[:4] == ["stanza", listed["stanza"]["version"], "hgrkit", "no"] for line in shown)


def test_two_plugins_with_one_name_are_both_named(hgrkit, install_plugin):
    install_plugin("hgrkit.parsers", "twin", distribution="one")
    install_plugin("hgrkit.parsers", "twin", distribution="two")
    assert "one 1.0 and two 1.0 both provide a parser named 'twin'" in hgrkit("parsers").error


def test_a_file_is_parsed_into_a_file_that_searches_can_use(hgrkit, captions, tmp_path):
    output = tmp_path / "graphs.jsonl"
    report = hgrkit("parse", "--input", captions, "--output", output, "--json").json
    assert report == {"file": str(output), "parser": "lark 3", "sentences": 3, "kept": 0, "refused": 1}
    shown = hgrkit("parse", "a dog runs.", "--parser", f"precomputed:{output}").out
    assert shown == f"{LarkParser().parse('a dog runs.')}\n"
    again = hgrkit("parse", "--input", captions, "--output", output)
    assert "3 were done before" in again.out


def test_a_file_of_another_parser_is_refused(hgrkit, captions, tmp_path):
    output = tmp_path / "graphs.jsonl"
    hgrkit("parse", "--input", captions, "--output", output)
    error = hgrkit("parse", "--input", captions, "--output", output, "--parser", "stanza").error
    assert "made with the parser lark 3, not with stanza 3" in error


def test_graphs_can_be_measured_where_they_were_written(hgrkit, captions, tmp_path):
    captions.write_text("A dog runs.\n")
    output = tmp_path / "graphs.jsonl"
    hgrkit("parse", "--input", captions, "--output", output)
    assert hgrkit("evaluate-parser", output, "--json").json["predicate"]["f1"] == 100


def test_a_role_labellers_output_is_converted(hgrkit, tmp_path):
    source, output = tmp_path / "srl.jsonl", tmp_path / "graphs.jsonl"
    record = {"words": ["a", "dog", "runs"], "verbs": [{"verb": "runs", "tags": ["B-ARG0", "I-ARG0", "B-V"]}]}
    source.write_text(json.dumps(record) + "\n")
    assert (
        hgrkit("parse", "--input", source, "--from", "allennlp").out == "a dog runs\n  runs\n    ARG0      a dog\n"
    )
    report = hgrkit("parse", "--input", source, "--from", "allennlp", "--output", output, "--json").json
    assert report["parser"] == "allennlp 1"
    assert hgrkit("parse", "a dog runs", "--parser", f"precomputed:{output}").status == 0


def test_a_chain_goes_on_without_stanzas_models(hgrkit, monkeypatch, tmp_path):
    monkeypatch.setenv("HGRKIT_STANZA_DIR", str(tmp_path))
    assert hgrkit("parse", "a dog runs", "--parser", "stanza,lark").out.endswith("ARG0      a dog\n")
    error = hgrkit("parse", "a dog runs", "--parser", "stanza").error
    assert "stanza.download('en')" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a dog runs", "--output", "graphs.jsonl"], "--output and --from need --input"),
        (["a dog runs", "--from", "released"], "--output and --from need --input"),
        (["--input", "none.txt", "--output", "graphs.jsonl"], "no file 'none.txt'"),
        (["--input", "none.txt", "--output", "graphs.jsonl", "--workers", "0"], "at least 1, got 0"),
    ],
)
def test_what_does_not_go_together_is_one_line(hgrkit, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in hgrkit("parse", *arguments).error
    assert list(tmp_path.iterdir()) == []
