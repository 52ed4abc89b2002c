"""Every command and program of the documentation runs as it is printed, or the test that runs it is named here."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import shlex
import shutil
import stat
from importlib.metadata import requires
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image

from hgrkit.demo import write_zoom

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCENES = {
    "a.mp4": "a dog runs",
    "b.mp4": "a woman chases a man",
    "park.mp4": "a dog chases a ball",
    "h.mp4": "a cat",
}

LIBRARIES = ("lib", "LIB", "cams/a.lib", "cams/b.lib")

REFERENCE = {"docs/cli.md"}
"""Lists of usage with placeholders; `tests/test_docs.py` compares their options with the commands'."""

OTHER_PAGES = {
    "docs/clip.md": "plugins/hgrkit-clip/tests/test_library.py",
    "docs/plugins/parser-in-40-lines.md": "tests/test_tutorial.py",
    "docs/how-to/own-frame-encoder.md": "tests/cli/test_how_to.py",
    "docs/serve.md": "tests/serve/test_documentation.py",
    "docs/how-to/web-app.md": "tests/cli/test_how_to.py",
}
"""Pages whose snippets another test runs in order."""

ELSEWHERE = {
    "hgrkit demo": "tests/demo/test_demonstration.py",
    "hgrkit mcp": "tests/cli/test_mcp.py",
    "hgrkit serve": "tests/serve/test_api.py",
    "hgrkit watch": "tests/cli/test_watch.py",
    "hgrkit tune": "tests/cli/test_tune.py",
    "hgrkit features": "tests/cli/test_features.py",
    "clip:": "plugins/hgrkit-clip/tests/test_library.py",
    "--benchmark": "tests/cli/test_benchmarks.py",
    "--annotations": "tests/cli/test_benchmarks.py",
    "--release": "tests/cli/test_train.py",
    "import-release": "tests/research/release/test_release.py",
    "--features": "tests/cli/test_commands.py",
    "--gold-trees": "tests/cli/test_parsers.py",
    "--parser stanza": "tests/parsing/test_stanza_parser.py",
    "--parser spacy": "plugins/hgrkit-spacy/tests/test_spacy_parser.py",
    "--parser split": "examples/parser_plugin/test_split_parser.py",
}
"""Commands that run until they are stopped, or need other data or models, and the tests that run them."""

FUNCTIONS_ELSEWHERE = {
    "calibrate": "tests/research/training/test_calibration.py",
    "charades": "tests/research/evaluation/test_partially_relevant.py",
    "write_features": "tests/cli/test_train_own_videos.py",
    "ask": "tests/cli/test_how_to.py",
    "keep_up": "tests/indexing/test_watch.py",
}
"""Functions of programs that are called by other tests."""


def of(page: Path, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(page.read_text("utf-8")) if language in languages]


def lines(page: Path) -> list[list[str]]:
    """The words of each line of a page's shell blocks; `&&` parts lines."""
    bodies = (line for body in of(page, "bash", "console") for line in body.replace("\\\n", " ").splitlines())
    words = (shlex.split(part, comments=True) for line in bodies for part in line.split(" && "))
    return [each for each in words if each]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def pages(*languages: str) -> list[pytest.param]:
    named = [page for page in PAGES if name_of(page) not in {*REFERENCE, *OTHER_PAGES} and of(page, *languages)]
    return [pytest.param(page, id=name_of(page)) for page in named]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with all files that the pages name: small videos, libraries of them, captions, features, ranks."""
    from hgrkit import Retriever

    folder = tmp_path_factory.mktemp("world")
    for name in ("videos/holidays", "videos/2026-01", "test_videos", "cams", "backup"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in SCENES:
        place = folder / "videos" / ("holidays" if name == "h.mp4" else "") / name
        write_zoom(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), place, seconds=1.0)
        shutil.copy(place, folder / "test_videos" / name)
    shutil.copy(folder / "videos/a.mp4", folder / "videos/2026-01/january.mp4")
    write_zoom(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), folder / "holiday.mp4", seconds=9.0)
    Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(folder / "pool.jpg")
    with Retriever.create(folder / "lib") as retriever:
        assert retriever.index(folder / "videos").failed == 0
        retriever.tag(folder / "videos/a.mp4", camera="front")
    (folder / "lib").rename(folder / "as made")
    restore(folder)
    return folder


def restore(folder: Path) -> None:
    """Put all libraries and texts back as they were made."""
    write_texts(folder)
    for name in LIBRARIES:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(folder / "as made", folder / name)


def write_texts(folder: Path) -> None:
    """Captions, sentences, foils, ranks, tags, gold graphs, features and a training file."""
    from hgrkit.parsing import load_parser

    def save(name: str, text: str) -> None:
        (folder / name).write_text(text)

    captions = {name: [text] for name, text in SCENES.items()}
    for name in ("captions.json", "dev.json", "test.json"):
        save(name, json.dumps(captions))
    save("train.json", json.dumps({f"t{n}": [text] for n, text in enumerate(SCENES.values())}))
    rng = np.random.default_rng(1)
    features = {f"t{n}": rng.normal(size=(2, 1280)).astype(np.float32) for n in range(len(SCENES))}
    np.savez(folder / "train.npz", **features)
    np.savez(folder / "features.npz", **dict.fromkeys(SCENES, features["t0"]))
    save("captions.txt", "\n".join(SCENES.values()))
    save("sentences.txt", "a dog runs\na man cooks\n")
    foil = {
        "video": "b.mp4",
        "caption": "a woman chases a man",
        "foil": "a man chases a woman",
        "type": "switch_roles",
    }
    save("foils.jsonl", json.dumps(foil))
    for name in ("a", "b", "ours", "theirs"):
        rows = [{"video": each, "caption": text, "rank": 1} for each, text in SCENES.items()]
        save(f"{name}.ranks", "\n".join(map(json.dumps, rows)))
    save("tags.csv", "path,camera\nvideos/a.mp4,front\n")
    graphs = load_parser("lark").parse_batch(list(SCENES.values()))
    save("caption_gold_dev.jsonl", "\n".join(graph.to_json() for graph in graphs))
    save(
        "run.toml",
        '[data.train]\ncaptions = "train.json"\nfeatures = ["train.npz"]\n[model]\ntext_encoder = "sentence"\n'
        'embed_dim = 8\nframe_encoder = "efficientnet-lite2"\nsampling = "fps:2"\n[training]\nepochs = 1\n',
    )


@pytest.fixture
def here(world, tmp_path, monkeypatch):
    """The world as it was made, whatever another page did to it, with a program that pretends to play a clip.

    It stays where it is: libraries have the absolute paths of its videos.
    """
    made = {path: path.is_dir() for path in world.iterdir()}
    monkeypatch.chdir(world)
    yield from _with_player(tmp_path, world, monkeypatch)
    for path in set(world.iterdir()) - made.keys():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    restore(world)


def _with_player(tmp_path, world, monkeypatch):
    player = tmp_path / "bin" / "xdg-open"
    player.parent.mkdir()
    player.write_text("#!/bin/sh\n")
    player.chmod(player.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{player.parent}:/usr/bin:/bin")
    yield world


# commands ------------------------------------------------------------------------------------------------------


def run_elsewhere(words: list[str]) -> str | None:
    return next((test for part, test in ELSEWHERE.items() if part in " ".join(words)), None)


@pytest.mark.parametrize("page", pages("bash", "console"))
def test_the_pages_commands_run(page, here, hgrkit):
    commands = [words[1:] for words in lines(page) if words[0] == "hgrkit" and run_elsewhere(words) is None]
    if any("precomputed:graphs.jsonl" in word for words in commands for word in words):
        assert hgrkit("parse", "--input", "captions.txt", "--output", "graphs.jsonl").status == 0
    for words in commands:
        ran = hgrkit(*(word.replace("/backup/", "backup/").replace("~/", "") for word in words))
        assert ran.status == 0, f"hgrkit {shlex.join(words)}: {ran.err}"
        assert "skipped" not in ran.err, ran.err  # a parser of a chain that does not work


@pytest.mark.parametrize("page", pages("bash", "console"))
def test_the_pages_scripts_and_packages_exist(page):
    """`python FILE --option`: the file has the option; `pip install PATH[extra]`: there is such a package."""
    folder = ROOT
    for words in lines(page):
        if words[0] == "cd":
            folder = ROOT / words[1]
        elif words[0] == "python" and words[1] not in {"-c", "-m"}:
            script = (folder / words[1]).read_text("utf-8")
            near = "".join(each.read_text("utf-8") for each in (folder / words[1]).parent.glob("*.py"))
            options = [word for word in words[2:] if word.startswith("--")]
            assert all(f'"{option}"' in script or f'"{option}"' in near for option in options), words
        elif words[:2] == ["pip", "install"]:
            for package in (word for word in words[2:] if word.startswith(".") and not word.endswith(".txt")):
                assert (folder / package.partition("[")[0] / "pyproject.toml").is_file(), package
                extras = re.findall(r"\[(.*)\]", package)
                known = re.findall(r'extra == [\'"]([\w-]+)', "\n".join(requires("hgrkit") or []))
                assert set(",".join(extras).split(",")) - {""} <= set(known), package


def test_a_command_that_other_tests_run_names_one_that_exists():
    for test in {*ELSEWHERE.values(), *OTHER_PAGES.values(), *FUNCTIONS_ELSEWHERE.values()}:
        assert (ROOT / test).is_file(), test


# programs ------------------------------------------------------------------------------------------------------


def small_benchmark(name: str, *, annotations: object, features: object = None):
    """A complete benchmark of the world's videos, in the place of a published one."""
    from hgrkit.research.datasets.benchmark import Benchmark, BenchmarkCaption, BenchmarkVideo

    return Benchmark(
        name=name,
        task="clips",
        split="test",
        videos=tuple(BenchmarkVideo(name=video) for video in SCENES),
        captions=tuple(BenchmarkCaption(id=video, video=video, text=text) for video, text in SCENES.items()),
        sentences=len(SCENES),
        features=None if features is None else Path(str(features)),
    )


def small_model():
    from hgrkit import CaptionedClips, HgrModel, Matcher, TextEncoder, VideoEncoder, Vocabulary

    graphs = {name: [text] for name, text in SCENES.items()}
    features = {name: np.random.default_rng(n).normal(size=(3, 8)) for n, name in enumerate(SCENES)}
    clips = CaptionedClips.of(graphs, features, parser="lark")
    words = Vocabulary.from_sentences([text.split() for text in SCENES.values()])
    text = TextEncoder(vocabulary=words, embed_dim=8, num_layers=1)
    return HgrModel(text=text, video=VideoEncoder(feature_dim=8, embed_dim=8), matcher=Matcher()), clips


@attrs.frozen
class Arguments:
    """What the programs' functions are called with, by the names of their parameters."""

    retriever: object

    def of(self, function: object) -> dict[str, object]:
        from hgrkit import load_model
        from hgrkit.model.registry import model_folder

        model, clips = small_model()
        known = {
            "library": Path("lib"),
            "words": "a dog runs",
            "questions": ["a dog runs", "a cat"],
            "video": "videos/a.mp4",
            "path": "videos/a.mp4",
            "captions": Path("captions.json"),
            "page": Path("page.html"),
            "annotations": Path("ann"),
            "features": Path("features.npz"),
            "foils": Path("foils.jsonl"),
            "a": Path("a.ranks"),
            "b": Path("b.ranks"),
            "parser": "lark",
            "gold": Path("caption_gold_dev.jsonl"),
            "retriever": self.retriever,
            "model": model,
            "clips": clips,
            "dev": clips,
        }
        if function.__name__ == "moments":
            frames = np.random.default_rng(0).normal(size=(20, 1280)).astype(np.float32)
            known |= {"model": load_model(model_folder("default")), "features": frames}
            known |= {"duration_s": 10.0, "sentences": list(SCENES.values())}
        return {name: known[name] for name in inspect.signature(function).parameters}


@pytest.mark.parametrize("page", pages("python"))
def test_the_pages_programs_run_and_their_functions_return(page, here, monkeypatch):
    import hgrkit
    from hgrkit import Retriever

    monkeypatch.setattr(hgrkit, "benchmark", small_benchmark)
    if page.name == "README.md":  # its program makes the library
        shutil.rmtree("lib")
    defined = {"__name__": "snippet", "my_network": lambda texts: np.ones((len(texts), 512), np.float32)}
    for body in of(page, "python"):
        exec(compile(body, name_of(page), "exec"), defined)
    functions = [
        value for value in defined.values() if inspect.isfunction(value) and value.__module__ == "snippet"
    ]
    with Retriever.open("lib", mode="w" if page.name == "filters.md" else "r") as retriever:
        arguments = Arguments(retriever)
        for function in functions:
            if function.__name__ not in {*FUNCTIONS_ELSEWHERE, "<lambda>"}:
                returned = function(**arguments.of(function))
                if inspect.iscoroutine(returned):
                    asyncio.run(returned)
