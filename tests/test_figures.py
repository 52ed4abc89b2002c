"""Every figure in a table of the documentation is that of the file that a benchmark wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from hgrkit.library.duplicates import DUPLICATE_SIMILARITY
from hgrkit.model.folder import model_fingerprint
from hgrkit.model.registry import model_folder

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

AGAINST = "against the linear map (a: linear map, b: model)"
FOIL_TYPES = ("switch_roles", "replace_action", "replace_person", "replace_scene", "incomplete_event")

Expected = dict[str, list[str]]
"""By the name of a row: its cells as they should be shown."""


# a page's tables -----------------------------------------------------------------------------------------------


@attrs.frozen
class Table:
    """The names of its columns but the first, and its rows by their first cells."""

    columns: list[str]
    rows: dict[str, list[str]]


def tables(page: str, heading: str) -> list[Table]:
    """The tables under one heading, up to the next."""
    text = (ROOT / page).read_text(encoding="utf-8")
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"{page} has no heading {heading!r}"
    blocks = re.findall(r"(?:^\|.*\|\n)+", match[1], re.MULTILINE)
    return [table_of(block) for block in blocks]


def table_of(block: str) -> Table:
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
    return Table(head[1:], {name.strip("`"): cells for name, *cells in rows})


# how figures are shown -----------------------------------------------------------------------------------------


@cache
def result(name: str) -> Any:
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def shown(value: float) -> str:
    return f"{value:.1f}"


def whole(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.1f}"


def recalls(measures: Mapping[str, float], names: tuple[str, ...] = ("R@1", "R@5", "R@10")) -> str:
    return " / ".join(shown(measures[name]) for name in names)


def interval(ends: list[float]) -> str:
    low, high = ends
    return f"[{low:.1f}, {high:.1f}]"


def lead(compared: Mapping[str, Any], key: str = "lead") -> str:
    return f"{compared[key]:+.1f} {interval(compared['interval'])}"


# what each table should say ------------------------------------------------------------------------------------


def examples(files: Mapping[str, Any]) -> Expected:
    libraries = files["examples.json"]["like"]
    named = {
        "a frame at a random time": "frame",
        "the same, cropped and recoloured": "frame, cropped, recoloured",
        "a resized copy": "resized",
        "a cropped and recoloured copy": "cropped, recoloured",
        "half of it, resized": "trimmed, resized",
    }
    return {
        row: [shown(library[kind]["all"]["R@1"]) for library in libraries.values()] for row, kind in named.items()
    }


def described_videos(files: Mapping[str, Any]) -> Expected:
    found = files["examples.json"]["describe"]
    return {
        row: [*(shown(found[key][name]) for name in ("R@1", "R@5")), str(found[key]["different first sentences"])]
        for row, key in {
            "with querybank normalisation": "with querybank norm",
            "without": "without",
        }.items()
    }


def joined_copies(files: Mapping[str, Any]) -> Expected:
    found = files["examples.json"]["duplicates"]
    kinds = ("resized", "cropped, recoloured", "trimmed, resized", "faded", "faded long")
    columns = ("precision", "recall for choosing", "recall for reporting")
    return {kind: [shown(found[kind][str(DUPLICATE_SIMILARITY)][name]) for name in columns] for kind in kinds}


def quality(files: Mapping[str, Any]) -> Expected:
    msvd, flickr8k = files["msvd.json"], files["default_model.json"]["measures"]["flickr8k test"]

    def cells(measures: Mapping[str, float]) -> list[str]:
        return [*(shown(measures[name]) for name in ("R@1", "R@5", "R@10")), whole(measures["MedR"])]

    reporting, choosing, every = msvd["for reporting"], msvd["for choosing"], msvd["all"]["text_to_video"]
    to_image, to_text = flickr8k["text_to_video"], flickr8k["video_to_text"]
    photographs, captions = f"{to_text['queries']:,} photographs", f"{to_image['queries']:,} captions"
    return {
        f"MSVD, {reporting['queries']:,} captions of the 49 clips for reporting": cells(reporting),
        f"MSVD, {choosing['queries']:,} captions of the 49 clips for choosing": cells(choosing),
        f"MSVD, all {every['queries']:,}": cells(every),
        f"Flickr8k test, {captions} to {photographs}": cells(to_image),
        f"Flickr8k test, {photographs} to {captions}": cells(to_text),
    }


def beside_the_linear_map(files: Mapping[str, Any]) -> Expected:
    def cell(compared: Mapping[str, Any]) -> str:
        return f"{shown(compared['a'])} / {shown(compared['b'])}, {lead(compared, 'difference')}"

    sets = files["default_model.json"][AGAINST]
    named = {
        "Flickr8k test": "flickr8k test, text to image",
        "MSVD, second half": "msvd-98 second half, text to video",
        "both together": "pooled",
    }
    return {
        row: [cell(sets[name]["text_to_video"][measure]) for measure in ("R@1", "mRR")]
        for row, name in named.items()
    }


def three_seeds(files: Mapping[str, Any]) -> Expected:
    def leads(sets: Mapping[str, Any]) -> list[str]:
        return [lead(sets["pooled"]["text_to_video"][name], "difference") for name in ("R@1", "mRR")]

    found = files["three_seeds.json"]
    rows = {}
    for seed, model in enumerate(found["models"], 1):
        flickr8k, msvd = model["measures"]["flickr8k test"], model["measures"]["msvd-98, all"]
        sides = (flickr8k["text_to_video"], flickr8k["video_to_text"], msvd["text_to_video"])
        rows[str(seed)] = [*map(recalls, sides), *leads(model[AGAINST])]
    return rows | {"together": ["", "", "", *leads(found[f"all of them {AGAINST}"])]}


def querybank_norm(files: Mapping[str, Any]) -> Expected:
    found = files["default_model.json"]
    without, with_it = found["measures"], found["with the background left in"]
    rows = {"Flickr8k test, {:,} photographs to {:,} captions": "flickr8k test"}
    rows["MSVD, {:,} clips to {:,} captions"] = "msvd-98, all"
    return {
        row.format(*(without[name][side]["queries"] for side in ("video_to_text", "text_to_video"))): [
            recalls(with_it[name]["video_to_text"]),
            recalls(without[name]["video_to_text"]),
        ]
        for row, name in rows.items()
    }


def dual_encoder(comparison: str, file: str = "dual_encoder.json") -> Callable[[Mapping[str, Any]], Expected]:
    """A table of a comparison in the results of dual encoders."""

    def rows(files: Mapping[str, Any]) -> Expected:
        found = files[file][comparison]
        named = {
            f"{title}, {way.replace('_', ' ')}, {measure}": (found["retrieval"][name][way][measure], "difference")
            for name, title in (("msr-vtt", "MSR-VTT"), ("msvd", "MSVD"))
            for way in ("text_to_video", "video_to_text")
            for measure in ("R@1", "mRR")
        }
        titles = {
            "foils, msr-vtt": "foils of MSR-VTT's captions",
            "foils, msvd": "foils of MSVD's captions",
            "vitatecs": "VITATECS",
            "verb contrast": "verb contrast",
        }
        mean = {"vitatecs": "pooled"}  # whose aspects differ in size by a factor of eighty
        named |= {
            title: (found["choices"][kind][mean.get(kind, "mean of types")], "lead")
            for kind, title in titles.items()
            if kind in found["choices"]
        }
        return {
            row: [shown(compared["a"]), shown(compared["b"]), lead(compared, key)]
            for row, (compared, key) in named.items()
        }

    return rows


def dual_encoder_foils(files: Mapping[str, Any]) -> Expected:
    found = files["dual_encoder.json"]["event alone (a) against all levels (b)"]["choices"]
    return {
        kind: [
            f"{found['foils, msr-vtt']['types'][kind]['n']:,}",
            *(lead(found[name]["types"][kind]) for name in ("foils, msr-vtt", "foils, msvd")),
        ]
        for kind in FOIL_TYPES
    }


def foils(files: Mapping[str, Any]) -> Expected:
    beside, elsewhere = files["foils.json"]["all"], files["foils.json"]["all, beside another clip"]

    def cells(pick: Callable[[Mapping[str, Any]], tuple[float, list[float]]]) -> list[str]:
        right = [f"{shown(value)} {interval(ends)}" for value, ends in map(pick, (beside, beside["event_only"]))]
        return [*right, *(shown(pick(table)[0]) for table in (elsewhere, elsewhere["event_only"]))]

    rows = {
        kind: [
            f"{beside['types'][kind]['n']:,}",
            *cells(lambda table, kind=kind: (table["types"][kind]["accuracy"], table["types"][kind]["interval"])),
        ]
        for kind in FOIL_TYPES
    }
    return rows | {"mean": ["", *cells(lambda table: (table["mean"], table["mean_interval"]))]}


def of_pairs(measured: Mapping[str, Any]) -> list[str]:
    ten = measured["first ten"]
    return [
        f"{measured['right']} of {measured['pairs']}",
        shown(measured["percent"]),
        shown(ten["of the subject, without the thing"]),
        shown(ten["with the thing"]),
    ]


def excluding(files: Mapping[str, Any]) -> Expected:
    found = files["exclusion.json"]["for reporting"]
    rows = {"the subject alone": of_pairs(found["the subject alone"]), "by hand": of_pairs(found["by hand"])}
    for way in ("without a guitar", "with no guitar", "but no guitar", "not playing a guitar"):
        rows[f'"{way}"'] = of_pairs(found[way]["by sentence"])
        rows[f'"{way}", first version'] = of_pairs(found[way]["first version"])
    return rows


def excluded_weights(files: Mapping[str, Any]) -> Expected:
    weights = files["exclusion.json"]["for choosing"]["by weight"]
    return {weight: of_pairs(found) for weight, found in weights.items()}


def exclusion_rules(files: Mapping[str, Any]) -> Expected:
    rules = files["exclusion_rules.json"]["by rule and weight"]
    return {
        rule: [" / ".join(map(shown, at.values())) for at in weights.values()] for rule, weights in rules.items()
    }


def excluded_candidates(files: Mapping[str, Any]) -> Expected:
    found = files["exclusion.json"]["for choosing"]["exact first ten by candidates"]
    return {way: [f"{at[way]:.3f}" for at in found.values()] for way in ("excluding", "the subject alone")}


def what_pays(files: Mapping[str, Any]) -> Expected:
    def figures(of: Mapping[str, Any]) -> list[str]:
        return [shown(of["pooled"][name]) for name in ("R@1", "mRR")]

    def told_apart(name: str, of: Mapping[str, Any]) -> str:
        every, event = shown(of["foils"]["mean"]), shown(of["foils"]["event_only"])
        return every if name.startswith("linear map") else f"{every} / {event}"

    found = files["what_pays.json"]
    rows = {"the plain recipe": [*figures(found["recipe"]), "", "", told_apart("", found["recipe"])]}
    for name, of in found["variations"].items():
        leads = of["the recipe's lead"]["pooled"]
        rows[name] = [*figures(of), lead(leads["R@1"]), lead(leads["mRR"]), told_apart(name, of)]
    return rows


WAYS_TO_SEARCH = {
    "scenes and scales": "scenes and scales (hgrkit)",
    **{f"fixed windows of {seconds} s": f"fixed {seconds} s windows" for seconds in (10, 5, 20)},
    "the whole video, its best stretch": "whole video; stretch by contrast",
    "the clips' boundaries known": "boundaries of the clips known",
}


def moments(files: Mapping[str, Any], part: str, left_out: str = "") -> Expected:
    def cell(of: Mapping[str, Any]) -> str:
        return f"{shown(of['value'])} {interval(of['interval'])}"

    found = files["joined_clips.json"][part]
    return {
        row: [
            cell(found[way]["text_to_video"]["R@1"]),
            *(cell(found[way]["right_video_moments"][f"R@1 IoU={overlap}"]) for overlap in (0.5, 0.7)),
            cell(found[way]["corpus_moments"]["R@1 IoU=0.5"]),
        ]
        for row, way in WAYS_TO_SEARCH.items()
        if row != left_out
    }


def several_moments(files: Mapping[str, Any]) -> Expected:
    found = files["moments.json"]["for reporting"]
    once = found["one occurrence"]
    columns = (found["several occurrences"], once["clips whole"], once["clips cut"])
    ways = {
        "--per-video 5": "every moment",
        "one moment a video": "one moment a video",
        "fixed windows of 10 s": "fixed 10 s windows",
    }
    return {row: [shown(column[way]) for column in columns] for row, way in ways.items()}


PAPER_PRESET, RELEASED_PRESET = "paper_claim.json", "paper_claim_released.json"


def paper_levels(files: Mapping[str, Any], file: str = PAPER_PRESET) -> Expected:
    sets = ("flickr8k test", "flickr8k test, image to text")
    systems = files[file]["systems"]
    return {name: [recalls(of[asked]) for asked in sets] for name, of in systems.items()}


def paper_leads(files: Mapping[str, Any], file: str = PAPER_PRESET) -> Expected:
    sets = ("flickr8k test", "flickr8k test, image to text")
    return {
        name: [lead(of["HGR's lead"][asked][measure]) for asked in sets for measure in ("R@1", "mRR")]
        for name, of in files[file]["systems"].items()
        if name != "HGR"
    }


def paper_carries_over(files: Mapping[str, Any], file: str = PAPER_PRESET) -> Expected:
    asked = "msvd-98 second half"
    return {
        name: [
            recalls(of[asked]),
            shown(of[asked]["mRR"]),
            *(lead(of["HGR's lead"][asked][measure]) if name != "HGR" else "" for measure in ("R@1", "mRR")),
        ]
        for name, of in files[file]["systems"].items()
    }


def paper_foils(files: Mapping[str, Any]) -> Expected:
    return {
        name: [
            " / ".join(shown(of[f"{asked}, {kind}"]["R@1"]) for asked in ("foils", "foils beside another clip"))
            for kind in (*FOIL_TYPES, "mean of the types")
        ]
        for name, of in files["paper_claim.json"]["systems"].items()
    }


def paper_foil_leads(files: Mapping[str, Any]) -> Expected:
    return {
        name: [lead(of["HGR's lead"][f"foils, {kind}"]["R@1"]) for kind in (*FOIL_TYPES, "all choices")]
        for name, of in files["paper_claim.json"]["systems"].items()
        if name != "HGR"
    }


def filter_times(files: Mapping[str, Any]) -> Expected:
    kinds = ("first_ms", "checking_ms", "again_ms")
    return {
        text: [f"{of['videos']:,}", *(f"{of[kind]:.0f}" for kind in kinds)]
        for text, of in files["filters.json"]["filters"].items()
    }


def filtered_searches(files: Mapping[str, Any]) -> Expected:
    return {
        share: [
            f"{of['videos']:,}",
            str(of["least_hits"]),
            f"{of['recall@10']:.3f}",
            f"{of['hits_filtered_afterwards']:.1f}",
            *(f"{of[kind]:.0f}" for kind in ("library_ms", "exact_ms")),
        ]
        for share, of in files["filters.json"]["searches"].items()
        if share != "without"
    }


CLIPS_OF = {"MSVD": "clips", "MSR-VTT": "clips", "Flickr8k": "photographs"}


def confidence(files: Mapping[str, Any], row: Callable[[Mapping[str, Any]], list[str] | None]) -> Expected:
    sets = files["confidence.json"]["sets"]
    found = {
        f"{name}, {int(size):,} {CLIPS_OF[name]}": row(of) for name in sets for size, of in sets[name].items()
    }
    return {name: cells for name, cells in found.items() if cells is not None}


def right_hits(of: Mapping[str, Any]) -> list[str]:
    right = of["right"]
    low, high = right["interval"]
    return [
        f"{100 * of['R@1']:.0f} %",
        f"{right['confidence']:.2f} [{low:.2f}, {high:.2f}]",
        *(f"{right[name]:.2f}" for name in ("margin", "score", "calibration error")),
    ]


def removed_clips(of: Mapping[str, Any]) -> list[str]:
    return [f"{of['removed'][name]:.2f}" for name in ("matching", "confidence", "score", "bound")]


def absent_things(of: Mapping[str, Any]) -> list[str] | None:
    if "absent" not in of:
        return None
    absent = of["absent"]
    shares = (100 * absent[name] for name in ("kept", "false alarms", "false alarms at 0.85 kept"))
    return [f"{absent['questions']:,}", *(f"{share:.0f} %" for share in shares)]


def short_questions(of: Mapping[str, Any]) -> list[str]:
    short = of["short"]
    first, area, margin, _, error = right_hits(short)
    return [first, area, margin, error, *(absent_things(short) or [])[1:]]


DUAL = "docs/dual-encoders.md"
PAGE = "docs/research/default-model.md"
USERS_PAGE = "docs/default-model.md"
SURE = "docs/confidence.md"
PAPER = "docs/research/paper-claim.md"
EXAMPLES = "docs/examples.md"
MOMENTS = "docs/partially-relevant.md"
PARSERS = {
    "lark": "parser_quality.json",
    "stanza": "parser_quality_stanza.json",
    "spacy": "parser_quality_spacy.json",
}
QUERY_FIGURES = ("predicate", "core_span", "verbless", "excluded")


def parsed_captions(files: Mapping[str, Any]) -> Expected:
    names = ("predicate", "core_span", "core_head", "all_span")
    return {
        parser: [
            *(shown(files[file][name]["f1"]) for name in names),
            f"{files[file]['captions_per_cpu_second']:,.0f}",
        ]
        for parser, file in PARSERS.items()
    }


def parsed_queries(files: Mapping[str, Any]) -> Expected:
    rows = {
        "87 real ones": "query_gold_dev",
        "52 of our own, in view": "queries_first",
        "52 of our own, unseen": "queries_second",
    }
    return {
        row: [
            " / ".join(shown(files[file]["queries"][name][figure]["f1"]) for figure in QUERY_FIGURES)
            for file in PARSERS.values()
        ]
        for row, name in rows.items()
    }


def watching(files: Mapping[str, Any]) -> Expected:
    looks = files["watch.json"]["median_processor_ms"]
    # a look takes a fiftieth of the time, and there is at most one a second
    return {
        f"{int(size):,}": [f"{taken['look']:,.1f}", f"{max(1, 50 * taken['look'] / 1000):.0f} s"]
        for size, taken in looks.items()
    }


def pictures_a_second(files: Mapping[str, Any]) -> Expected:
    return {
        way: [
            shown(found["pictures_per_cpu_second"]),
            f"{found['speed']:.2f}",
            f"{found['least_cosine']:.4f}",
        ]
        for way, found in files["picture_encoding.json"]["ways"].items()
    }


CLIP = "docs/clip.md"


def served(files: Mapping[str, Any]) -> Expected:
    found = files["serve.json"]
    rows = {"200 clients, beside the writer": "beside a writer", "16 clients, alone": "alone"}
    return {
        row: [
            f"{found[part]['searches']:,}",
            str(found[part].get("answers_of_no_version", 0) + len(found[part]["failures"])),
            *(shown(found[part]["milliseconds"][cut] / 1000) for cut in ("p50", "p95")),
        ]
        for row, part in rows.items()
    }


def memory_of_the_server(files: Mapping[str, Any]) -> Expected:
    megabytes = files["serve.json"]["alone"]["resident_megabytes"]
    return {f"{int(searches):,}": [shown(held)] for searches, held in megabytes.items()}


EXCLUSION = "docs/exclusion.md"
SOURCES: dict[tuple[str, str, int], Callable[[Mapping[str, Any]], Expected]] = {
    ("README.md", "Quality", 0): quality,
    (USERS_PAGE, "Figures", 0): quality,
    (PAGE, "How good it is", 0): quality,
    (PAGE, "How good it is", 1): beside_the_linear_map,
    (PAGE, "How good it is", 2): three_seeds,
    (PAGE, "Querybank normalisation", 0): querybank_norm,
    (PAGE, "What the levels are for", 0): foils,
    (DUAL, "What the graph adds", 0): dual_encoder("event alone (a) against all levels (b)"),
    (DUAL, "What the graph adds", 1): dual_encoder_foils,
    (DUAL, "A trained head", 0): dual_encoder("untrained (a) against trained heads (b)", "dual_encoder_head.json"),
    (PAGE, "What its parts are worth", 0): what_pays,
    (SURE, "How far it can be trusted", 0): partial(confidence, row=right_hits),
    (SURE, "When nothing matches", 0): partial(confidence, row=absent_things),
    (SURE, "When nothing matches", 1): partial(confidence, row=removed_clips),
    (SURE, "Short questions", 0): partial(confidence, row=short_questions),
    (CLIP, "On a CPU", 0): pictures_a_second,
    ("docs/foils.md", "What the default model makes of them", 0): foils,
    (EXCLUSION, "How well it works", 0): excluding,
    (EXCLUSION, "How much it takes off", 0): excluded_weights,
    (EXCLUSION, "How much it takes off", 1): exclusion_rules,
    (EXCLUSION, "How much it takes off", 2): excluded_candidates,
    ("docs/filters.md", "What a filter costs", 0): filter_times,
    ("docs/filters.md", "What a filter costs", 1): filtered_searches,
    (MOMENTS, "On real footage", 0): partial(moments, part="for reporting"),
    (MOMENTS, "On real footage", 1): partial(
        moments, part="clips cut, for reporting", left_out="fixed windows of 20 s"
    ),
    (EXAMPLES, "How it is compared", 0): examples,
    (EXAMPLES, "Sentences for a video", 0): described_videos,
    (EXAMPLES, "Duplicates", 0): joined_copies,
    (MOMENTS, "Several moments of one video", 0): several_moments,
    ("docs/how-to/watch-a-folder.md", "What it costs", 0): watching,
    ("docs/serve.md", "Beside a writer", 0): served,
    ("docs/serve.md", "Beside a writer", 1): memory_of_the_server,
    ("docs/parsers.md", "How good they are", 0): parsed_captions,
    ("docs/parsers.md", "How well they read queries", 0): parsed_queries,
    (PAPER, "Levels, graph and attention", 0): paper_levels,
    (PAPER, "Levels, graph and attention", 1): paper_leads,
    (PAPER, "Another data set", 0): paper_carries_over,
    (PAPER, "With the released preset", 0): partial(paper_levels, file=RELEASED_PRESET),
    (PAPER, "With the released preset", 1): partial(paper_leads, file=RELEASED_PRESET),
    (PAPER, "With the released preset", 2): partial(paper_carries_over, file=RELEASED_PRESET),
    (PAPER, "Binary selection", 0): paper_foils,
    (PAPER, "Binary selection", 1): paper_foil_leads,
}
"""By page, heading and the table's number under it: what the files make of it."""

OTHER_TABLES = {
    (CLIP, "What becomes of a sentence"),  # names
    (CLIP, "Precision and speed"),  # names
    (CLIP, "Published benchmarks"),  # of others, held to docs/published-figures.toml
    (DUAL, "Vectors from elsewhere"),  # names
    (SURE, "How it is found"),  # names
    (PAGE, "How it is trained"),  # data
    (USERS_PAGE, "Its parts"),  # names
    (USERS_PAGE, "How to get better answers"),  # advice
    (MOMENTS, "The score of a window"),  # equations
    (MOMENTS, "What is reported"),  # names
    ("docs/serve.md", "Ask it"),  # names
    ("docs/serve.md", "Limits"),  # compared by tests/serve/test_documentation.py
    (PAPER, "What was found"),  # words
    (PAPER, "Differences from the paper"),  # names
    ("README.md", "On the command line"),  # commands
    ("docs/parsers.md", "What happens to a query"),  # words
    ("docs/parsers.md", "What goes wrong"),  # counted on the page of errors
    ("docs/parsers.md", "Files of graphs"),  # names
    ("docs/foils.md", "The types"),  # examples
    ("docs/filters.md", "Columns"),  # names
    ("docs/foils.md", "Checked by hand"),  # counted by people
}
"""Headings with tables that show no figures of a file."""


class Files(dict[str, Any]):
    """The results by name, read when they are asked for; remembers which were."""

    def __missing__(self, name: str) -> Any:
        self[name] = result(name)
        return self[name]


def drifts(page: str, heading: str, number: int) -> list[str]:
    """What a table shows otherwise than the files, cell by cell."""
    table, files = tables(page, heading)[number], Files()
    expected = SOURCES[page, heading, number](files)
    sources = " or ".join(f"benchmarks/results/{name}" for name in files)
    place = f"{page}, table under {heading!r}"
    wrong = [f"{place}, row {row!r}: not in {sources}" for row in table.rows.keys() - expected.keys()]
    wrong += [f"{place}: no row {row!r}, which is in {sources}" for row in expected.keys() - table.rows.keys()]
    for row in table.rows.keys() & expected.keys():
        cells = zip(table.columns, table.rows[row], expected[row], strict=True)
        wrong += [
            f"{place}, row {row!r}, column {column}: page says {on_page}, {sources} {in_file}"
            for column, on_page, in_file in cells
            if on_page != in_file
        ]
    return wrong


@pytest.mark.parametrize(("page", "heading", "number"), SOURCES, ids=str)
def test_a_table_says_what_its_file_says(page, heading, number):
    wrong = drifts(page, heading, number)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", sorted({page for page, _, _ in SOURCES}))
def test_every_table_of_figures_has_its_source(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    headings = [name for name in re.findall(r"^## (.*)$", text, re.MULTILINE) if (page, name) not in OTHER_TABLES]
    found = {(page, heading, number) for heading in headings for number, _ in enumerate(tables(page, heading))}
    assert found == {place for place in SOURCES if place[0] == page}


def test_a_drift_is_told_by_page_row_and_column(monkeypatch, tmp_path):
    (tmp_path / "page.md").write_text("## How\n\n| queries | R@1 |\n|---|---|\n| all | 60.7 |\n")
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    source = {("page.md", "How", 0): lambda files: {"all": [shown(files["msvd.json"])]}}
    monkeypatch.setattr(f"{__name__}.SOURCES", source)
    monkeypatch.setattr(f"{__name__}.result", {"msvd.json": 61.24}.get)
    assert drifts("page.md", "How", 0) == [
        "page.md, table under 'How', row 'all', column R@1: page says 60.7, benchmarks/results/msvd.json 61.2"
    ]


# the model that was measured -----------------------------------------------------------------------------------


def fingerprints(value: Any) -> Iterator[str]:
    """Fingerprints that a result gives for the model "default"."""
    if isinstance(value, dict):
        if "default" in (value.get("name"), value.get("model")) and "fingerprint" in value:
            yield value["fingerprint"]
        for part in value.values():
            yield from fingerprints(part)
    elif isinstance(value, list):
        for part in value:
            yield from fingerprints(part)


def test_a_result_of_the_default_model_is_that_of_the_installed_one():
    installed = model_fingerprint(model_folder("default"))
    names = sorted(path.name for path in RESULTS.glob("*.json"))
    stale = [name for name in names if set(fingerprints(result(name))) - {installed}]
    assert not stale, f"measured with another model than the installed {installed}: {', '.join(stale)}"
