"""A neural graph parser: Stanza's dependency trees, labelled with roles; needs Stanza's models on the machine."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from platformdirs import user_cache_dir

from hgrkit.checks.arguments import check_choice, check_path, check_sequence, check_text
from hgrkit.errors import GraphError, MissingPackageError, ParserModelsNotFoundError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.protocol import Conventions
from hgrkit.parsing.query import parse_parts
from hgrkit.parsing.tokenize import check_tokens, tokenize
from hgrkit.parsing.tree_labeller import label_tree
from hgrkit.parsing.tree_repair import repaired

__all__ = ["StanzaParser", "find_models"]

T = TypeVar("T")

MODELS_VARIABLE = "HGRKIT_STANZA_DIR"
"""The environment variable that names the folder of Stanza's models."""


def models_folder() -> Path | None:
    """Read the folder of models from the environment; `None` stands for Stanza's own folder."""
    named = os.environ.get(MODELS_VARIABLE)
    return Path(named) if named else None


def find_models(language: str = "en") -> str | None:
    """Find the folder that holds the models of a language; `None` if none does."""
    named = models_folder() or os.environ.get("STANZA_RESOURCES_DIR")
    # Stanza keeps what it downloads in the user's cache, under the version of its resources
    cache = Path(user_cache_dir("stanza", "StanfordNLP"))
    folders = [Path(named)] if named else sorted(cache.glob("*/resources"), reverse=True)
    return next((str(folder) for folder in folders if (folder / language / "depparse").is_dir()), None)


_PROCESSORS = "tokenize,pos,lemma,depparse"
_MAX_WORDS = 500
"""The parser scores every pair of words, so that its memory grows with the square of a sentence."""
_BATCH = 1000
"""Sentences that the pipeline is given at once, so that its memory stays bounded."""


class StanzaParser:
    """Parses sentences with Stanza (Qi et al., ACL 2020) and labels the trees.

    Models are loaded when the first sentence is parsed. With a folder they come from there and nothing is
    downloaded; without one, Stanza looks in its own folder and downloads what it lacks, as its users expect.

    English is cut into words by hgrkit, other languages by Stanza.

    Args:
        dir: a folder with Stanza's models; by default the one that the environment variable `HGRKIT_STANZA_DIR`
            names, if it is set.
        language: Stanza's code of the language.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: if the device is none of these.
    """

    name = "stanza"

    def __init__(
        self,
        *,
        dir: str | os.PathLike[str] | None = None,  # noqa: A002 (stanza.Pipeline has that name for it)
        language: str = "en",
        device: str = "auto",
    ) -> None:
        self._folder = models_folder() if dir is None else Path(check_path("dir", dir))
        self.language = check_text("language", language, hint="such as 'en'")
        check_choice("the device of the stanza parser", device, ("auto", "cpu", "cuda"))
        self._device = device
        self._pipeline: Any = None
        self._on_gpu = False
        self._lock = Lock()

    @property
    def version(self) -> str:
        """Changes whenever the graphs change; for a language other than English it names it."""
        return "3" if self.language == "en" else f"1-{self.language}"

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """Parse each text into one graph, in order; the sentences of a text are read as one.

        Raises:
            GraphError: if a text holds nothing to parse, or more than 500 words.
            MissingPackageError: if stanza is not installed.
            ParserModelsNotFoundError: if its models are not there and cannot be downloaded.
        """
        texts = check_sequence("texts", texts, str, of="sentences", error=GraphError)
        words = [tokenize(text) for text in texts]
        if self.language == "en":
            return self.parse_token_batch(words)
        for tokens in words:
            check_tokens(tokens, self.name, most=_MAX_WORDS)
        documents = self._run(lambda pipeline: pipeline.bulk_process(texts)) if words else []
        graphs = []
        for document in documents:
            tokens = [word.text for sentence in document.sentences for word in sentence.words]
            graphs.append(label_tree(tokens, _tree(document.sentences), language=self.language))
        return graphs

    def parse_tokens(self, tokens: Sequence[str]) -> RoleGraph:
        """Parse given tokens, which the graph keeps as they are.

        Raises:
            GraphError, MissingPackageError, ParserModelsNotFoundError: as `parse_batch` does.
        """
        return self.parse_token_batch([tokens])[0]

    def parse_token_batch(self, sentences: Sequence[Sequence[str]]) -> list[RoleGraph]:
        """Parse each list of English tokens into one graph that keeps them; much faster than one by one.

        Raises:
            GraphError, MissingPackageError, ParserModelsNotFoundError: as `parse_batch` does.
        """
        words = partial(check_sequence, kind=str, of="words", error=GraphError)
        sentences = check_sequence("sentences", sentences, None, of="lists of words", error=GraphError, each=words)
        for tokens in sentences:
            check_tokens(tokens, self.name, most=_MAX_WORDS)
        return parse_parts(self._parse, sentences) if self.language == "en" else self._parse(sentences)

    def _parse(self, sentences: Sequence[Sequence[str]]) -> list[RoleGraph]:
        graphs: list[RoleGraph] = []
        for start in range(0, len(sentences), _BATCH):
            batch = [list(tokens) for tokens in sentences[start : start + _BATCH]]
            read = self._run(partial(_read_tokens, batch))
            trees = [_tree([sentence]) for sentence in read]
            trees = [repaired(*pair) for pair in zip(batch, trees, strict=True)]
            graphs += [label_tree(*pair, language=self.language) for pair in zip(batch, trees, strict=True)]
        return graphs

    def parse_tree(
        self, tokens: Sequence[str], tree: Mapping[str, Sequence[Any]], *, conventions: Conventions = "captions"
    ) -> RoleGraph:
        """Label a sentence whose dependency tree is known; Stanza is not used.

        Args:
            tokens: the words.
            tree: the columns of their tree.
            conventions: whose annotation to follow.

        Raises:
            GraphError: if it is no tree.
        """
        return label_tree(tokens, DependencyTree.from_dict(tree), language=self.language, conventions=conventions)

    def _run(self, parse: Callable[[Any], T]) -> T:
        """Call a function with the pipeline, which is loaded on first use; one thread at a time."""
        with self._lock:
            if self._pipeline is None:
                with _garbage_collection_paused():
                    self._on_gpu = self._uses_gpu()
                    with self._threads():
                        self._pipeline = self._load()
            with self._threads():
                return parse(self._pipeline)

    def _threads(self) -> AbstractContextManager[None]:
        # on a CPU, threads would only wait for each other on steps as small as these
        return nullcontext() if self._on_gpu else _one_thread()

    def _uses_gpu(self) -> bool:
        if self._device != "auto":
            return self._device == "cuda"
        import torch

        return torch.cuda.is_available()

    def _load(self) -> Any:
        if self._folder is not None and not (self._folder / self.language).is_dir():
            raise self._missing(f"there is no folder {self.language!r} in {str(self._folder)!r}")
        try:
            import stanza
        except ImportError as error:
            raise MissingPackageError(
                "the stanza parser needs the package stanza; install it with `pip install stanza`."
            ) from error
        source: dict[str, Any] = {"download_method": stanza.DownloadMethod.REUSE_RESOURCES}
        if self._folder is not None:
            source = {"dir": str(self._folder), "download_method": None}
        # English comes in hgrkit's tokens; in other languages Stanza finds the words, of one sentence a text
        cut = {"tokenize_pretokenized": True} if self.language == "en" else {"tokenize_no_ssplit": True}
        try:
            return stanza.Pipeline(
                self.language, processors=_PROCESSORS, use_gpu=self._on_gpu, verbose=False, **source, **cut
            )
        except Exception as error:
            raise self._missing(f"{type(error).__name__}: {error}") from error

    def _missing(self, reason: str) -> ParserModelsNotFoundError:
        return ParserModelsNotFoundError(
            f"Stanza's models for {self.language!r} cannot be loaded ({' '.join(reason.split()).rstrip('.')}); "
            "download them where there is a network with "
            f"`python -c \"import stanza; stanza.download('{self.language}')\"`, "
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
def _garbage_collection_paused() -> Iterator[None]:
    """Pause garbage collection while modules and models are loaded; it takes a fifth of the loading time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _read_tokens(sentences: list[list[str]], pipeline: Any) -> list[Any]:
    return list(pipeline(sentences).sentences)


def _tree(sentences: Sequence[Any]) -> DependencyTree:
    """Stanza's sentences, which count words from 1, as one tree with a root for each."""
    heads: list[int] = []
    for sentence in sentences:
        before = len(heads)
        heads += [word.head - 1 + before if word.head else -1 for word in sentence.words]
    words = [word for sentence in sentences for word in sentence.words]
    return DependencyTree(
        upos=[word.upos or "X" for word in words],
        xpos=[word.xpos or "" for word in words],
        lemma=[word.lemma or word.text for word in words],
        feats=[word.feats or "_" for word in words],
        head=heads,
        deprel=[word.deprel or "dep" for word in words],
    )
