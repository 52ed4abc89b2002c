"""What a search looks like in a terminal, and that nothing of it reaches a pipe."""

from __future__ import annotations

import re
import sys
from io import StringIO

import attrs
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from hgrkit.cli.search import result_text
from hgrkit.cli.search_table import fitting_table, search_table, shortened_name
from hgrkit.pages.explanation import explain_result
from tests.pages.sample import result_over, write_video

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
    assert lines[0] == "  1  0.400  [red]a dog[bold].mp4  0:00.5-0:02.0"
    assert any(line.strip() == "in films/" for line in lines)
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


def test_a_phrase_that_is_seen_best_outside_the_moment_is_marked():
    text = result_text(RESULT).plain
    assert "a dog ARG0 +0.50 at 0:01.8  |" in text
    assert "barks V +0.30 at 0:03.8 (outside)" in text
    assert "0:03.8 (outside)" in shown(110)
    assert RESULT._repr_html_().count("(outside)") == 2


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


# a screen of some size ------------------------------------------------------------------------------------------

LONG = "holidays in the mountains with the whole family and the dog, second day, part 3 of 12 (copy).mp4"
WIDE = "日本の犬と猫がとても長い名前のビデオファイルの中で一緒に遊んでいるところを撮影した.mp4"


def screen(result, width, height):
    """The lines that a terminal of that size shows."""
    file = StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(fitting_table(result, console), soft_wrap=False)
    return file.getvalue().rstrip("\n").split("\n")


def result_of(many):
    """Hits of the same video, ranked."""
    hit = RESULT.hits[0]
    hits = tuple(attrs.evolve(hit, rank=number + 1, video=f"films/{number}.mp4") for number in range(many))
    return attrs.evolve(RESULT, hits=hits)


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("many", [1, 2, 5])
def test_the_best_hit_is_on_the_screen_when_the_prompt_is_back(width, many):
    lines = screen(result_of(many), width, 24)
    assert lines[0].startswith("  1  0.400  0.mp4")
    assert len(lines) <= 22
    assert [line for line in lines if re.match(r" +\d+ +0\.400  \d\.mp4", line)][-1].split()[0] == str(many)
    assert all(cell_len(line) <= width for line in lines)


def test_a_tall_screen_has_bars_for_every_hit_and_a_low_one_for_the_best():
    tall, low = screen(result_of(3), 80, 60), screen(result_of(3), 80, 20)
    assert sum(line.split()[:1] == ["event"] for line in tall) == 3
    assert sum(line.split()[:1] == ["event"] for line in low) == 1
    assert low.index("  2  0.400  1.mp4  0:00.5-0:02.0") > next(
        place for place, line in enumerate(low) if line.split()[:1] == ["event"]
    )


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("name", [LONG, WIDE, "dog.mp4", "a.b.c.mp4", "no suffix", "x" * 300 + ".webm"])
def test_a_name_is_whole_or_loses_its_middle(width, name):
    result = attrs.evolve(RESULT, hits=(attrs.evolve(RESULT.hits[0], video=f"films/{name}"),))
    lines = screen(result, width, 24)
    assert all(cell_len(line) <= width for line in lines)
    if cell_len(name) <= width - 12:
        assert name in lines[0]
    else:
        head, tail = lines[0].removeprefix("  1  0.400  ").split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        assert tail.endswith(name[-4:])
    assert any("0:00.5-0:02.0" in line for line in lines[:2])


@pytest.mark.parametrize("width", [1, 2, 5, 8, 12, 30, 200])
@pytest.mark.parametrize("name", [LONG, WIDE, "dog.mp4"])
def test_a_shortened_name_fits_and_keeps_its_suffix_where_there_is_room(width, name):
    short = shortened_name(name, width)
    assert cell_len(short) <= max(width, 4)
    if width >= 8:
        assert short.endswith("4")
        assert ".mp4" in short


def test_videos_of_several_folders_are_shown_with_their_folders():
    videos = ("a/x.mp4", "b/x.mp4")
    hits = [attrs.evolve(RESULT.hits[0], rank=place, video=video) for place, video in enumerate(videos, 1)]
    lines = screen(attrs.evolve(RESULT, hits=tuple(hits)), 80, 24)
    assert any("a/x.mp4" in line for line in lines)
    assert any("b/x.mp4" in line for line in lines)
    assert not any(line.startswith("in ") for line in lines)


def test_a_level_without_a_score_is_a_dash():
    hit = attrs.evolve(RESULT.hits[0], levels=attrs.evolve(RESULT.hits[0].levels, action=None))
    lines = screen(attrs.evolve(RESULT, hits=(hit,)), 80, 24)
    (line,) = [line for line in lines if line.split()[:1] == ["action"]]
    assert line.split() == ["action", "-"]


def test_the_roles_that_occur_are_said_in_words():
    assert screen(RESULT, 80, 24)[-1] == "V what happens; ARG0 who does it; ARG1 whom or what"
    lines = screen(RESULT, 40, 24)
    assert lines[-2:] == ["V what happens; ARG0 who does it;", "ARG1 whom or what"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
@pytest.mark.parametrize("settings", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_of_80_by_24_shows_five_hits_the_best_one_first(msvd_library, settings):
    text = in_terminal(["search", "a man plays the guitar", "--library", str(msvd_library)], settings)
    assert ("\x1b[33m" in text) == (not settings)
    lines = Text.from_ansi(text).plain.rstrip("\n").splitlines()
    assert len(lines) <= 22
    assert lines[0].startswith("  1 ")
    assert sum(line[:3].strip().isdigit() for line in lines) == 5
    assert lines[-1] == "V what happens; ARG0 who does it; ARG1 whom or what"


def in_terminal(arguments, settings):
    """What `hgrkit` writes to a terminal of 80 columns and 24 lines."""
    import fcntl
    import os
    import pty
    import struct
    import subprocess
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")},
        "TERM": "xterm-256color",
        "PYTHONIOENCODING": "utf-8",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "hgrkit", *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    written = b""
    try:
        while data := os.read(ours, 1 << 16):
            written += data
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, written
    return written.decode("utf-8").replace("\r\n", "\n")
