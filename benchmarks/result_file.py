"""What every benchmark writes beside its figures: the command, the machine, the versions, the model."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from hgrkit.model.folder import model_fingerprint
from hgrkit.model.registry import model_folder

__all__ = ["arguments", "command", "described", "model_described", "write_result"]

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("hgrkit", "torch", "numpy", "onnxruntime", "av", "safetensors", "tokenizers")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """What the command line of every benchmark begins with: what it is, and where its result is written."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the result into this file, too")
    return parser


def described(options: argparse.Namespace, *, seed: int | None = None, also: Sequence[str] = ()) -> dict[str, Any]:
    """The command, the machine and the versions that figures belong to.

    Args:
        options: what the command line was read as.
        seed: of what is random, if anything is.
        also: packages whose versions matter beside the usual ones.
    """
    return {
        "command": command(options),
        "machine": {"platform": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in (*PACKAGES, *also)},
        },
        **({} if seed is None else {"seed": seed}),
    }


def command(options: argparse.Namespace, arguments: Sequence[str] | None = None) -> str:
    """What was typed, as it can be typed again in the root of the repository.

    Args:
        options: what the command line was read as; says which words are paths.
        arguments: the words, the script first; those of this process unless given.
    """
    script, *words = sys.argv if arguments is None else arguments
    paths = set(_paths(vars(options).values()))
    named = [_from_root(word) if Path(word) in paths or Path(word).is_absolute() else word for word in words]
    return shlex.join(["python", _from_root(script), *named])


def model_described(model: str) -> dict[str, str]:
    """A model's name and fingerprint."""
    return {"name": model, "fingerprint": model_fingerprint(model_folder(model))}


def write_result(result: Mapping[str, Any], out: Path | None) -> None:
    """Print a result, and write it if a file is named."""
    text = json.dumps(result, indent=1)
    print(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


def _paths(values: Iterable[Any]) -> Iterator[Path]:
    for value in values:
        if isinstance(value, Path):
            yield value
        elif isinstance(value, list | tuple):
            yield from _paths(value)


def _from_root(path: str) -> str:
    return Path(os.path.relpath(path, ROOT)).as_posix()
