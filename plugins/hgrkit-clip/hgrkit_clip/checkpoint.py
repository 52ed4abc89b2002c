"""Where a model's files lie: a folder, a file or the hub's cache, and what is refused before any is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import attrs

from hgrkit.errors import CheckpointError, HgrkitError, MissingPackageError, ModelNotFoundError
from hgrkit.storage.digest import file_digest

__all__ = ["CLIP", "OPEN_CLIP", "Checkpoint", "Layout", "one_line", "reading"]

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_WORDS = ("tokenizer.json", "vocab.*", "*.model")
"""Files of words, one of which every tokenizer has."""

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_UNREAD = (*_PICKLES, ".h5", ".msgpack", ".onnx", ".md", ".tflite", ".ot")
"""Suffixes of files beside a model that decide none of its vectors."""

_PREPARATION = 2
"""Which preparation of pictures made the vectors: in the first, they came squashed to a square."""


@attrs.frozen
class Layout:
    """How those who publish a model lay out its files.

    Attributes:
        kind: what stands before the colon of the model's name.
        program: whose layout it is.
        config: the file that describes the network.
        weights: pattern of the files of weights.
    """

    kind: str
    program: str
    config: str
    weights: str


CLIP = Layout("clip", "transformers", "config.json", "*.safetensors")
OPEN_CLIP = Layout("open_clip", "OpenCLIP", "open_clip_config.json", "open_clip*.safetensors")


@attrs.frozen
class Checkpoint:
    """A model's files.

    Attributes:
        layout: whose they are.
        source: the absolute folder or file, or the hub's name.
        folder: where they lie.
        weights: the files of weights.
    """

    layout: Layout
    source: str
    folder: Path
    weights: tuple[Path, ...]

    @classmethod
    def find(cls, layout: Layout, source: str) -> Self:
        """Find a model.

        Args:
            layout: of its files.
            source: a folder, for OpenCLIP also a file of weights, or a name on the hub, which is downloaded unless
                it is in the cache.

        Raises:
            ModelNotFoundError: if there is no such folder, and the hub's model is neither cached nor to be had.
            CheckpointError: if the config, the weights or the words are missing, or the weights are pickled.
        """
        path = Path(source).expanduser()
        if path.is_file() and layout is OPEN_CLIP:
            made = cls(layout, str(path.absolute()), path.absolute().parent, (path.absolute(),))
        else:
            is_folder = path.is_dir()
            folder = path.absolute() if is_folder else _from_hub(layout, source)
            made = cls(layout, str(folder) if is_folder else source, folder, _weights_in(folder, layout))
        made._require_whole()
        return made

    @property
    def fingerprint(self) -> str:
        """`clip2@sha256:` or the like, and the digest of every file that decides a vector."""
        digest = hashlib.sha256()
        for path in sorted(self.folder.iterdir()):
            other_weights = path.suffix == ".safetensors" and path not in self.weights
            ignored = other_weights or path.suffix.lower() in _UNREAD or path.name.startswith(".")
            if path.is_file() and not ignored:
                digest.update(f"{path.name}\0{file_digest(path)}\n".encode())
        return f"{self.layout.kind}{_PREPARATION}@sha256:{digest.hexdigest()}"

    def _require_whole(self) -> None:
        folder, layout = self.folder, self.layout
        if not (folder / layout.config).is_file():
            other = next((one for one in (CLIP, OPEN_CLIP) if (folder / one.config).is_file()), None)
            hint = f" It is one of {other.program}: {other.kind}:{self.source}" if other else ""
            raise CheckpointError(f"{folder} has no {layout.config}, so it is no model of {layout.program}.{hint}")
        listed = self.weights or sorted(path for path in folder.iterdir() if path.suffix in _PICKLES)
        if pickle := next((path for path in listed if path.suffix in _PICKLES), None):
            raise CheckpointError(
                f"{folder} has its weights as a pickle, {pickle.name}, which can run any program when it is read; "
                "use a copy in safetensors, or make one of weights that you trust: "
                f"python -m hgrkit_clip {pickle} OUT --allow-pickle"
            )
        if not self.weights:
            raise CheckpointError(f"{folder} has no weights ({layout.weights}).")
        # transformers makes a tokenizer without words where there is no file of them
        if not any(path.is_file() for pattern in _WORDS for path in folder.glob(pattern)):
            raise CheckpointError(f"{folder} has no tokenizer ({', '.join(_WORDS)}); download it whole.")


def _from_hub(layout: Layout, source: str) -> Path:
    if not _HUB_NAME.fullmatch(source):
        raise ModelNotFoundError(
            f"there is no folder {source!r}; give the folder of a model, or its name on the hub."
        )
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.txt", "*.model", layout.weights]
    try:
        cached = Path(snapshot_download(source, local_files_only=True, allow_patterns=wanted))
        if _weights_in(cached, layout):
            return cached
    except Exception:  # noqa: BLE001, S110 (whatever the cache lacks, the hub is asked next)
        pass
    try:
        return Path(snapshot_download(source, allow_patterns=wanted))
    except Exception as error:  # the hub's own, the network's, or those of its configuration
        raise ModelNotFoundError(
            f"there is no folder {source!r}, and the hub's model {source!r} is neither in the cache nor can it be "
            f"downloaded ({type(error).__name__}); download it where there is a network, and give its folder."
        ) from error


def _weights_in(folder: Path, layout: Layout) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob(layout.weights)))


@contextmanager
def reading(where: Path) -> Iterator[None]:
    """Run a block that reads a model: quietly, and with what goes wrong in one line."""
    import transformers

    log: Any = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    except HgrkitError:
        raise
    except ImportError as error:
        raise MissingPackageError(f"{where} needs a package that is not installed: {one_line(error)}") from error
    except Exception as error:
        raise CheckpointError(f"{where} cannot be read: {one_line(error)}.") from error
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def one_line(error: Exception) -> str:
    """What is wrong, in one line of a few words."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}".rstrip(".")
