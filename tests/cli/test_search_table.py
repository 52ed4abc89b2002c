"""What a search looks like in a terminal, and that nothing of it reaches a pipe."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from hgrkit.cli.search import result_text
from hgrkit.cli.search_table import search_table
from hgrkit.explain.explanation import explain_result
from tests.explain.sample import result_over, write_video

RESULT = result_over("films/[red]a dog[bold].mp4")


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "grey.mp4", 4)


def shown(width):
    file = StringIO()
    Console(file=file, width=width, force_terminal=True, color_system=None).print(search_table(RESULT, width))
    return file.getvalue()


def test_a_table_has_a_line_for_every_level_and_phrase():
    lines = shown(110).splitlines()
    assert any("[red]a dog[bold].mp4  0:00.5-0:02.0" in line and "0.400" in line for line in lines)
    assert any(line.strip() == "films/" for line in lines)
    for words, number in (("event", "+0.30"), ("a dog ARG0", "+0.50"), ("</script><b> ARG1", "-0.12")):
        assert any(words in line and number in line for line in lines)


def test_bars_are_as_long_as_the_similarity():
    bars = {line.split()[0]: line.count("█") for line in shown(60).splitlines() if "█" in line}
    assert bars["a"] == 12
    assert bars["event"] == 7
    assert "</script><b>" not in bars


@pytest.mark.parametrize(("width", "there"), [(110, True), (60, False)])
def test_weights_over_time_are_there_where_the_terminal_is_wide_enough(width, there):
    (line,) = [line for line in shown(width).splitlines() if "chases V" in line]
    assert ("▁█▁▁▁▁▁▁" in line) == there
    assert all(len(line) <= width for line in shown(width).splitlines())


def test_piped_text_is_plain():
    assert result_text(RESULT).plain.startswith("  1  0.400  films/[red]a dog[bold].mp4  0:00.5-0:02.0\n")


def test_film_strips_stand_below_their_hits_as_wide_as_the_terminal(video):
    explanation = explain_result(result_over(video, "gone.mp4"))
    file = StringIO()
    console = Console(file=file, width=100, force_terminal=True, color_system="truecolor")
    console.print(search_table(explanation.result, 100, explanation=explanation))
    lines = Text.from_ansi(file.getvalue()).plain.splitlines()
    films = [line for line in lines if "▀" in line]
    assert [line.count("▀") for line in films] == [18 * 5] * 6
    assert all(len(line) <= 100 for line in lines)
    greens = {int(green) for green in re.findall(r"\[38;2;\d+;(\d+);\d+;48;2;\d+;\d+;\d+m▀", file.getvalue())}
    assert all(min(abs(green - grey) for green in greens) <= 4 for grey in (20, 60, 100, 140))
    assert any("no pictures: the video is no longer" in line for line in lines)
