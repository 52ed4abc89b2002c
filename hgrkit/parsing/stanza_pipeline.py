"""Stanza's pipeline, loaded when it is first needed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from hgrkit.errors import ConfigError, MissingPackageError, ParserModelsNotFoundError
from hgrkit.parsing.stanza_models import MODELS_VARIABLE

__all__ = ["StanzaPipeline"]

T = TypeVar("T")

_PROCESSORS = "tokenize,pos,lemma,depparse"
_DEVICES = ("auto", "cpu", "cuda")


class StanzaPipeline:
    """A `stanza.Pipeline` up to dependency trees; one thread at a time uses it.

    Args:
        folder: where the models are; `None` for Stanza's own folder, into which it downloads what is missing.
        language: Stanza's code of the language.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: if the device is none of these.
    """

    def __init__(self, *, folder: Path | None, language: str, device: str) -> None:
        if device not in _DEVICES:
            raise ConfigError(f"the device of the stanza parser must be one of {_DEVICES}, got {device!r}.")
        self._folder, self._language, self._device = folder, language, device
        self._pipeline: Any = None
        self._on_gpu = False
        self._lock = Lock()

    def run(self, parse: Callable[[Any], T]) -> T:
        """What a function makes of the pipeline.

        On a CPU it works in one thread: more would only wait for each other on steps as small as these.

        Raises:
            MissingPackageError: if stanza is not installed.
            ParserModelsNotFoundError: if its models are not there and cannot be downloaded.
        """
        with self._lock:
            if self._pipeline is None:
                with _garbage_left():
                    self._on_gpu = self._uses_gpu()
                    with self._threads():
                        self._pipeline = self._load()
            with self._threads():
                return parse(self._pipeline)

    def _threads(self) -> AbstractContextManager[None]:
        return nullcontext() if self._on_gpu else _one_thread()

    def _uses_gpu(self) -> bool:
        if self._device != "auto":
            return self._device == "cuda"
        import torch

        return torch.cuda.is_available()

    def _load(self) -> Any:
        if self._folder is not None and not (self._folder / self._language).is_dir():
            raise self._missing(f"there is no folder {self._language!r} in {str(self._folder)!r}")
        try:
            import stanza
        except ImportError as error:
            raise MissingPackageError(
                "the stanza parser needs the package stanza; install it with `pip install stanza`."
            ) from error
        source: dict[str, Any] = {"download_method": stanza.DownloadMethod.REUSE_RESOURCES}
        if self._folder is not None:
            source = {"dir": str(self._folder), "download_method": None}
        cut = {"tokenize_pretokenized": True} if self._language == "en" else {"tokenize_no_ssplit": True}
        try:
            return stanza.Pipeline(
                self._language, processors=_PROCESSORS, use_gpu=self._on_gpu, verbose=False, **source, **cut
            )
        except Exception as error:
            raise self._missing(f"{type(error).__name__}: {error}") from error

    def _missing(self, reason: str) -> ParserModelsNotFoundError:
        return ParserModelsNotFoundError(
            f"Stanza's models for {self._language!r} cannot be loaded ({' '.join(reason.split()).rstrip('.')}); "
            "download them where there is a network with "
            f"`python -c \"import stanza; stanza.download('{self._language}')\"`, "
            f"or name a folder that has them with StanzaParser(dir=...) or the variable {MODELS_VARIABLE}."
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _garbage_left() -> Iterator[None]:
    """No collection of garbage while modules and models are loaded that live on; it is a fifth of the time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()
