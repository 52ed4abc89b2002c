"""`python -m hgrkit_clip FOLDER OUT --allow-pickle`: a copy of a model with its weights in safetensors."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from hgrkit.errors import CheckpointError, ConfigError, HgrkitError
from hgrkit_clip.loading import reading


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; what is wrong is one line on stderr, and the status 2."""
    parser = argparse.ArgumentParser(prog="python -m hgrkit_clip", description=__doc__)
    parser.add_argument("folder", type=Path, help="a model whose weights are a pickle")
    parser.add_argument("out", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--allow-pickle", action="store_true", help="read the pickle; do so only if you trust it")
    asked = parser.parse_args(arguments)
    try:
        convert(asked.folder, asked.out, allow_pickle=asked.allow_pickle)
    except HgrkitError as error:
        sys.stderr.write(f"hgrkit: {error}\n")
        return 2
    return 0


def convert(folder: Path, out: Path, *, allow_pickle: bool = False) -> None:
    """Write a model's weights in safetensors, with the other files beside them.

    Torch reads the pickle with its own restricted reader, which knows tensors and little else.

    Args:
        folder: a model with `pytorch_model.bin`.
        out: a folder that does not exist yet.
        allow_pickle: read it.

    Raises:
        ConfigError: if it is not allowed, or `out` exists.
        CheckpointError: if the weights cannot be read.
    """
    weights = folder / "pytorch_model.bin"
    if not allow_pickle:
        raise ConfigError(
            f"{weights} is a pickle, which can run any program; --allow-pickle reads one that you trust."
        )
    if not weights.is_file():
        raise CheckpointError(f"{folder} has no pytorch_model.bin; one file of weights can be converted.")
    if out.exists():
        raise ConfigError(f"{out} exists; name a new folder.")
    with reading(folder):
        import torch
        from safetensors.torch import save_file

        tensors = torch.load(weights, map_location="cpu", weights_only=True)
        out.mkdir(parents=True)
        whole = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
        save_file(whole, out / "model.safetensors", metadata={"format": "pt"})
    for path in folder.iterdir():
        if path.is_file() and path.suffix in (".json", ".txt", ".model"):
            shutil.copy(path, out / path.name)


if __name__ == "__main__":
    sys.exit(main())
