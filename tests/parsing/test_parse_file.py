"""Files of graphs: written resumably, read back, and served to searches."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from hgrkit.errors import ConfigError, GraphError, MissingPathError
from hgrkit.parsing.graph_file import GraphFileHeader, PrecomputedParser, read_graph_file, read_header
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.parse_file import parse_file, write_graphs
from hgrkit.parsing.registry import load_parser
from hgrkit.testing import ParserContract
from hgrkit.testing.parser_contract import CAPTIONS

SENTENCES = [f"a dog chases {number} cats" for number in range(600)]
SENTENCES[7] = ""


class Counting(LarkParser):
    """Counts what it parses, and is interrupted at one sentence."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at, self.parsed = stop_at, 0

    def parse_batch(self, texts):
        if self.stop_at in texts:
            raise KeyboardInterrupt
        self.parsed += len(texts)
        return super().parse_batch(texts)


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "captions.txt"
    file.write_text("\n".join(SENTENCES) + "\n")
    return file


@pytest.fixture
def target(tmp_path):
    return tmp_path / "graphs.jsonl"


def test_every_sentence_has_its_line_after_the_header(source, target):
    report = parse_file("lark", source, target)
    assert (report.sentences, report.kept, report.refused) == (600, 0, 1)
    assert len(target.read_text().splitlines()) == 601
    captions, graphs = zip(*read_graph_file(target), strict=True)
    assert list(captions) == SENTENCES
    assert isinstance(graphs[7], GraphError)
    assert graphs[8] == LarkParser().parse(SENTENCES[8])
    header = read_header(target)
    assert (header.parser, header.version) == ("lark", LarkParser.version)


def test_an_interrupted_run_goes_on_where_it_was(source, target, tmp_path):
    whole = tmp_path / "whole.jsonl"
    parse_file(LarkParser(), source, whole)
    with pytest.raises(KeyboardInterrupt):
        parse_file(Counting(stop_at=SENTENCES[300]), source, target)
    assert not target.exists()
    partial = target.with_name("graphs.jsonl.partial")
    with partial.open("a") as file:
        file.write('{"caption": "torn')
    parser = Counting()
    report = parse_file(parser, source, target)
    assert report.kept == 256
    assert parser.parsed == 600 - 256
    assert target.read_bytes() == whole.read_bytes()
    assert not partial.exists()


def test_a_killed_run_goes_on_where_it_was(source, target):
    program = (
        "import os, signal, sys; from pathlib import Path; from hgrkit.parsing.parse_file import parse_file\n"
        "stop = lambda done, total: os.kill(os.getpid(), signal.SIGKILL)\n"
        "parse_file('lark', Path(sys.argv[1]), Path(sys.argv[2]), on_progress=stop)"
    )
    ran = subprocess.run([sys.executable, "-c", program, source, target], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert parse_file("lark", source, target).kept == 256


def test_a_finished_file_is_left_as_it_is(source, target):
    parse_file("lark", source, target)
    before = target.stat().st_mtime_ns
    assert parse_file("lark", source, target).kept == 600
    assert target.stat().st_mtime_ns == before


def test_another_parser_or_version_never_goes_on(source, target):
    with pytest.raises(KeyboardInterrupt):
        parse_file(Counting(stop_at=SENTENCES[300]), source, target)
    other = Counting()
    other.version = "other"
    with pytest.raises(ConfigError, match="made with the parser lark 3, not with lark other; finish it"):
        parse_file(other, source, target)


def test_other_sentences_never_go_on(source, target):
    parse_file("lark", source, target)
    source.write_text("a cat sleeps\n")
    with pytest.raises(ConfigError, match="made with other sentences"):
        parse_file("lark", source, target)


def test_a_file_of_something_else_is_not_overwritten(source, target):
    target.write_text('{"tokens": ["dog"]}\n')
    with pytest.raises(ConfigError, match="does not say what made it"):
        parse_file("lark", source, target)


def test_two_processes_write_what_one_writes(source, target, tmp_path):
    alone = tmp_path / "alone.jsonl"
    parse_file("lark", source, alone)
    seen = []
    parse_file("lark", source, target, num_workers=2, on_progress=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == alone.read_bytes()
    assert seen == [(256, 600), (512, 600), (600, 600)]


def test_several_processes_need_a_name(source, target):
    with pytest.raises(ConfigError, match="need a parser's name"):
        parse_file(LarkParser(), source, target, num_workers=2)
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        parse_file("lark", source, target, num_workers=0)


# reading -------------------------------------------------------------------------------------------------------


class TestPrecomputedParser(ParserContract):
    @pytest.fixture(autouse=True)
    def _use(self, tmp_path):
        file = tmp_path / "contract.jsonl"
        graphs = zip(CAPTIONS, LarkParser().parse_batch(CAPTIONS), strict=True)
        write_graphs(graphs, file, GraphFileHeader(parser="lark", version="1"))
        self.parser = PrecomputedParser(file)


def test_a_sentence_is_found_by_its_words(target):
    graph = LarkParser().parse("A dog runs.")
    write_graphs([("A dog runs.", graph)], target, GraphFileHeader(parser="lark", version="1"))
    parser = load_parser(f"precomputed:{target}")
    assert parser.parse_batch(["a  dog runs ."]) == [graph]
    assert parser.version.startswith("lark 1 ")
    with pytest.raises(GraphError, match="has no graph of 'a cat'"):
        parser.parse_batch(["a cat"])


def test_what_a_file_lacks_the_next_parser_of_a_chain_reads(target):
    write_graphs([], target, GraphFileHeader(parser="lark", version="1"))
    assert load_parser(f"precomputed:{target},lark").parse_batch(["a cat sleeps"])[0].actions


def test_graphs_without_a_header_are_read(target):
    graph = LarkParser().parse("a dog runs")
    target.write_text(graph.to_json() + "\n")
    assert PrecomputedParser(target).parse_batch(["a dog runs"]) == [graph]


def test_precomputed_graphs_need_a_file(tmp_path):
    with pytest.raises(ConfigError, match=r"precomputed:graphs\.jsonl"):
        load_parser("precomputed")
    with pytest.raises(MissingPathError, match="no file"):
        load_parser(f"precomputed:{tmp_path / 'none.jsonl'}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("no json", "line 1 is not JSON"),
        ("[1]", "line 1 must be a JSON object, got list"),
        ('{"tokens": ["a"], "nodes": [{"id": 1, "role": "V", "span": [0, 9]}], "edges": []}', "line 1: "),
        (json.dumps({"format": "hgrkit graphs", "format_version": 2}), "reads 1; use the hgrkit that wrote it"),
    ],
    ids=["text", "list", "graph", "later"],
)
def test_what_is_no_file_of_graphs_is_named_by_its_line(target, line, words):
    target.write_text(line + "\n")
    with pytest.raises(GraphError, match=words):
        PrecomputedParser(target)
