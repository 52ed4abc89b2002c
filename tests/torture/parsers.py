"""Fuzzes every parser of foreign bytes: features, a model's config and tokeniser, graphs, released checkpoints.

A batch runs in a process of its own, which a crash ends. Each input is a sound file with bytes changed; the parser
must read it or raise the one kind of error that it states, within seconds and in less than a gigabyte.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from hgrkit.errors import CheckpointError, FeatureFileError, HgrkitError, ReleaseError
from hgrkit.model.checkpoint import load_model
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.model.text.tokenizer_file import load_tokenizer
from hgrkit.research.release.importing import read_checkpoint
from hgrkit.storage.onnx_file import OnnxGraph
from hgrkit.video.feature_file import FeatureFile
from tests.torture.findings import Findings
from tests.torture.forged_models import damage_bytes, lie_in_json, template

__all__ = ["MUST_BE_ZERO", "run"]

MUST_BE_ZERO = ("signals", "hangs", "over_1_gb", "untyped_errors")
"""Counts that a run must not have."""

_BATCH = 50
_LONGEST_S = 60
_MOST_BYTES = 1 << 30

Parser = Callable[[Path], object]
Damage = Callable[[np.random.Generator, Path], None]


def run(
    count: int, *, seed: int, folder: Path, progress: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """Fuzz each parser with so many inputs."""
    counts: Counter[str] = Counter()
    findings, done = Findings(), 0
    sound = _sound_files(folder)
    for number, (name, (files, parse, damage, error)) in enumerate(_parsers(sound).items()):
        for first in range(0, count, _BATCH):
            batch = range(first, min(first + _BATCH, count))
            room = folder / "room"
            shutil.rmtree(room, ignore_errors=True)
            room.mkdir()

            def one(place: int, room: Path = room) -> str:
                rng = np.random.default_rng([seed, number, place])  # noqa: B023 - called within this turn
                path = Path(shutil.copy(files[place % len(files)], room))  # noqa: B023
                damage(rng, path)  # noqa: B023
                return _outcome(path, parse, error)  # noqa: B023

            outcomes, ended = _in_process(batch, one, room)
            counts.update(outcome if outcome in ("read", "refused") else "untyped_errors" for outcome in outcomes)
            for outcome in {*outcomes} - {"read", "refused"}:
                findings.note(outcome, f"{name}, from {first}")
            if ended is not None:
                counts[ended] += 1
                findings.note(ended, f"{name}, input {first + len(outcomes)}")
            done += len(batch)
            progress(done)
    return {
        "inputs": done,
        "parsers": len(_parsers(sound)),
        **{name: counts[name] for name in ("read", "refused", *MUST_BE_ZERO)},
        "details": findings.lines(),
    }


def _sound_files(folder: Path) -> dict[str, list[Path]]:
    """What is damaged: small files of every kind."""
    home = folder / "sound"
    home.mkdir()
    arrays = {"a": np.random.default_rng(0).random((20, 8), np.float32), "b": np.zeros((5, 8), np.float32)}
    features = [home / "a.h5", home / "b.h5", home / "a.npz", home / "b.npz"]
    for path, version in zip(features[:2], ("earliest", "latest"), strict=True):
        with h5py.File(path, "w", libver=version) as file:
            file.create_dataset("a", data=arrays["a"], chunks=(5, 8), compression="gzip", shuffle=True)
            file.create_dataset("group/b", data=arrays["b"], chunks=(2, 8), compression="lzf", fletcher32=True)
    np.savez(features[2], **arrays)
    np.savez_compressed(features[3], **arrays)
    checkpoints = [home / "new.th", home / "legacy.th"]
    for path in checkpoints:
        state = {name: {"a.weight": torch.ones(3, 4)} for name in ("video_encoder", "text_encoder")}
        torch.save(state, path, _use_new_zipfile_serialization=path.stem == "new")
    model = template("sentence")
    return {
        "features": features,
        "checkpoint": checkpoints,
        "graph": [model / "sentence.onnx"],
        "tokenizer": [model / "tokenizer.json"],
        "config": [template(kind) / "config.json" for kind in ("sentence", "rnn")],
        "weights": [model / "weights.safetensors"],
    }


def _parsers(sound: dict[str, list[Path]]) -> dict[str, tuple[list[Path], Parser, Damage, type[HgrkitError]]]:
    """What reads each kind of file, how it is damaged, and what it may raise."""
    return {
        "features": (sound["features"], _read_features, damage_bytes, FeatureFileError),
        "model config": (sound["config"], _load_in_a_model, lie_in_json, CheckpointError),
        "model weights": (sound["weights"], _load_in_a_model, damage_bytes, CheckpointError),
        "graph file": (sound["graph"], _read_graph, damage_bytes, CheckpointError),
        "tokeniser": (sound["tokenizer"], _read_tokenizer, _lie_or_damage, CheckpointError),
        "release": (sound["checkpoint"], read_checkpoint, damage_bytes, ReleaseError),
    }


def _read_features(path: Path) -> None:
    with FeatureFile(path) as file:
        for name in ("a", "b", "group/b", "absent"):
            with suppress(FeatureFileError, KeyError):
                file[name]


def _read_graph(path: Path) -> None:
    graph = OnnxGraph(path, num_threads=1)
    pieces = np.array([[2, 4, 3]])
    graph.run("states", {"piece_ids": pieces, "piece_mask": np.ones_like(pieces)}, seconds=5)


def _read_tokenizer(path: Path) -> None:
    load_tokenizer(path)
    SentenceReader(model=template("sentence") / "sentence.onnx", tokenizer=path).read([["a", "dog", "runs"]])


def _load_in_a_model(path: Path) -> None:
    """Load a model one of whose files is another."""
    is_rnn = path.name == "config.json" and '"rnn"' in path.read_text(encoding="utf-8")
    model = path.parent / "model"
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(template("rnn" if is_rnn else "sentence"), model)
    shutil.copy(path, model)
    load_model(model)


def _lie_or_damage(rng: np.random.Generator, path: Path) -> None:
    (lie_in_json if rng.random() < 0.7 else damage_bytes)(rng, path)


def _outcome(path: Path, parse: Parser, error: type[HgrkitError]) -> str:
    try:
        parse(path)
    except error as refusal:
        return "refused" if "\n" not in str(refusal) else f"several lines: {refusal}"
    except BaseException as fault:  # noqa: BLE001 - what a parser must not raise
        return f"{type(fault).__name__}: {fault}"
    return "read"


def _in_process(batch: range, one: Callable[[int], str], room: Path) -> tuple[list[str], str | None]:
    """Run a batch in a fork; returns what became of each input, and how the process ended if it should not."""
    report = room / "outcomes"
    process = os.fork()
    if process == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        with report.open("w", encoding="utf-8") as file:
            for place in batch:
                signal.alarm(_LONGEST_S)
                file.write(json.dumps(one(place)) + "\n")
                file.flush()
        os._exit(0)
    _, code, usage = os.wait4(process, 0)
    outcomes = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    status = os.waitstatus_to_exitcode(code)
    if status == -signal.SIGALRM:
        return outcomes, "hangs"
    if status:
        return outcomes, "signals"
    return outcomes, "over_1_gb" if usage.ru_maxrss * 1024 > _MOST_BYTES else None
