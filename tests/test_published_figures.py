"""Every figure of others in the documentation stands in a file that names its source."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hgrkit.research.datasets.catalogue import find_recipe

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
RECORD: dict[str, Any] = tomllib.loads((DOCS / "published-figures.toml").read_text(encoding="utf-8"))
TABLES = {"clips": 3, "moments": 4}
"""The tables of the file, and how many recalls a row has."""


def section(page: str = PAGE) -> str:
    return page.split("## Published figures\n")[1].split("\n## ", maxsplit=1)[0]


def rows(page: str) -> list[list[list[str]]]:
    """The cells of the tables under `Published figures`, without their heads."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", section(page), re.MULTILINE)
    return [
        [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]]
        for block in blocks
    ]


def shown(figure: dict[str, Any], recalls: int) -> list[str]:
    """A figure as the page is to show it."""
    found = [f"{value:.1f}" for value in figure["recalls"]]
    numbers = ("median_rank", "mean_rank") if recalls == TABLES["clips"] else ("sum",)
    more = [f"{figure[name]:.1f}" if name == "sum" else f"{figure.get(name, '-'):}" for name in numbers]
    source = RECORD["sources"][figure["source"]].split(":")[0]
    system = ", ".join(filter(None, (figure["system"], figure.get("direction"))))
    return [
        figure["benchmark"],
        system,
        " / ".join([*found, *["-"] * (recalls - len(found))]),
        *more,
        f"{figure['how']} {source}",
    ]


def unsourced(page: str) -> list[str]:
    """Rows of the page that are not in the file, and figures of the file that the page does not show."""
    wrong = []
    for own, (name, recalls) in zip(rows(page), TABLES.items(), strict=True):
        expected = [shown(figure, recalls) for figure in RECORD[name]]
        wrong += [f"on the page only: {row}" for row in own if row not in expected]
        wrong += [f"in the file only: {row}" for row in expected if row not in own]
    return wrong


def test_every_published_figure_has_its_source():
    assert not unsourced(PAGE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("9.2 / 26.2", "9.3 / 26.2"),
        ("| 24 | 164 |", "| 23 | 164 |"),
        ("| 140.1 |", "| 141.0 |"),
        ("| as reported by RoME's code |", "| seen in RoME's code |"),
    ],
)
def test_a_figure_or_a_source_that_differs_is_told(old, new):
    assert old in section()
    assert unsourced(PAGE.replace(old, new))


def test_no_number_stands_outside_the_tables_without_being_made_of_theirs():
    prose = re.sub(r"```.*?```", "", section(), flags=re.DOTALL)
    prose = re.sub(r"^\|.*$|^- .*$|`[^`]*`", "", prose, flags=re.MULTILINE)
    hgr = [figure for figure in RECORD["clips"] if figure["source"] == "hgr" and "full" in figure["benchmark"]]
    (tvr,) = (one for one in RECORD["moments"] if (one["benchmark"], one["system"][:5]) == ("tvr", "MS-SL"))
    made = {sum(sum(figure["recalls"]) for figure in hgr), tvr["sum"], sum(tvr["recalls"])}
    assert {float(number) for number in re.findall(r"\b\d+\.\d\b", prose)} == {round(value, 1) for value in made}


def test_sources_are_listed_on_the_page_and_used():
    used = {figure["source"] for name in TABLES for figure in RECORD[name]}
    assert used == set(RECORD["sources"])
    assert re.findall(r"^- (.*)$", section(), re.MULTILINE) == list(RECORD["sources"].values())


@pytest.mark.parametrize("figure", [figure for name in TABLES for figure in RECORD[name]], ids=str)
def test_a_figure_says_how_it_is_known_and_is_of_a_benchmark_that_hgrkit_reads(figure):
    assert figure["how"] in ("seen in", "as reported by")
    assert find_recipe(figure["benchmark"]).name == figure["benchmark"]
    assert len(figure["recalls"]) <= 4
    assert figure["recalls"] == sorted(figure["recalls"])
    if "sum" in figure:
        assert figure["sum"] == pytest.approx(sum(figure["recalls"]), abs=0.21)  # each recall is rounded


def test_zero_shot_figures_of_the_page_on_clip_are_the_files_and_name_their_source():
    page = (DOCS / "clip.md").read_text("utf-8").split("## Published benchmarks\n")[1]
    found = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\| `.*\|$", page, re.MULTILINE)
    ]
    assert found == [
        [
            f"`{figure['benchmark']}`",
            figure["system"],
            " / ".join(f"{value:.1f}" for value in figure["recalls"]),
            str(figure["median_rank"]),
            figure["source"],
            "not run here",
        ]
        for figure in RECORD["zero_shot"]
    ]
    for figure in RECORD["zero_shot"]:
        assert f"\n- {figure['source']}: " in page
        assert find_recipe(figure["benchmark"]).name == figure["benchmark"]


def test_figures_of_ms_sl_s_successors_are_not_set_beside_all_of_val_1():
    assert "activitynet-captions" not in {figure["benchmark"] for figure in RECORD["moments"]}
