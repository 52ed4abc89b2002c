"""`python -m hgrkit_clip MODEL OUT --allow-pickle`: a copy of a model with its weights in safetensors."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from hgrkit.errors import CheckpointError, ConfigError, HgrkitError
from hgrkit_clip.checkpoint import reading

_WRITTEN = {"pytorch_model.bin": "model.safetensors", "open_clip_pytorch_model.bin": "open_clip_model.safetensors"}
"""Files of weights by their usual names, and what they are called in safetensors."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; what is wrong is one line on stderr, and the status 2."""
    parser = argparse.ArgumentParser(prog="python -m hgrkit_clip", description=__doc__)
    parser.add_argument("model", type=Path, help="a folder whose weights are a pickle, or their file")
    parser.add_argument("out", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--allow-pickle", action="store_true", help="read the pickle; do so only if you trust it")
    asked = parser.parse_args(arguments)
    try:
        convert(asked.model, asked.out, allow_pickle=asked.allow_pickle)
    except HgrkitError as error:
        sys.stderr.write(f"hgrkit: {error}\n")
        return 2
    return 0


def convert(model: Path, out: Path, *, allow_pickle: bool = False) -> None:
    """Write a model's weights in safetensors, with the other files beside them.

    Torch reads the pickle with its own restricted reader, which knows tensors and little else.

    Args:
        model: a folder with `pytorch_model.bin` or `open_clip_pytorch_model.bin`, or a file of weights such as
            OpenCLIP's training writes.
        out: a folder that does not exist yet.
        allow_pickle: read it.

    Raises:
        ConfigError: if it is not allowed, or `out` exists.
        CheckpointError: if the weights cannot be read.
    """
    found = [model] if model.is_file() else [model / name for name in _WRITTEN if (model / name).is_file()]
    weights = found[0] if found else model / "pytorch_model.bin"
    if not allow_pickle:
        raise ConfigError(
            f"{weights} is a pickle, which can run any program; --allow-pickle reads one that you trust."
        )
    if not found:
        raise CheckpointError(f"{model} has no {' and no '.join(_WRITTEN)}; one file of weights can be converted.")
    if out.exists():
        raise ConfigError(f"{out} exists; name a new folder.")
    with reading(weights):
        import torch
        from safetensors.torch import save_file

        tensors = torch.load(weights, map_location="cpu", weights_only=True)
        tensors = tensors.get("state_dict", tensors)  # beside the state of the optimiser
        whole = {name.removeprefix("module."): tensor.clone().contiguous() for name, tensor in tensors.items()}
        out.mkdir(parents=True)
        name = _WRITTEN.get(weights.name, f"open_clip_{weights.stem}.safetensors")
        save_file(whole, out / name, metadata={"format": "pt"})
    for path in weights.parent.iterdir():
        if path.is_file() and path.suffix in (".json", ".txt", ".model"):
            shutil.copy(path, out / path.name)


if __name__ == "__main__":
    sys.exit(main())
