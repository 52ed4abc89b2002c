"""One split of a release as a model reads it: captions as graph batches, videos as features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ReleaseError
from hgrkit.graph import ACTION_ROLE
from hgrkit.model.folder import NOTES_FOLDER
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.graph_selection import GraphLimits, SelectedGraph, SelectedNode
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.video import VideoFeatures
from hgrkit.research.release.config import read_config
from hgrkit.research.release.importing import SETTINGS_FILE
from hgrkit.research.release.layout import ReleaseFolder, Split, read_json
from hgrkit.video.feature_file import FeatureFile
from hgrkit.video.sampling import evenly_spaced

__all__ = ["ReleaseDataset", "open_split", "read_graph", "settings_path"]


def read_features(
    paths: Sequence[Path], names: Sequence[str], dims: Sequence[int]
) -> Iterator[npt.NDArray[np.float32]]:
    """Each video's frame features, one after the other: [F, K] with K the sum of the sizes.

    Args:
        paths: one file for each size.
        names: the videos; their key in a file is the name with `/` as `_`.
        dims: numbers of a frame in each file.

    Raises:
        FeatureFileError: if a file cannot be read, or does not hold finite numbers for a video.
        ReleaseError: if a video is missing or of another size.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(FeatureFile(path)) for path in paths]
        for name in names:
            parts = []
            for path, file, dim in zip(paths, files, dims, strict=True):
                if name not in file:
                    raise ReleaseError(f"{path} has no features of the video {name!r}.")
                parts.append(file[name])
                if parts[-1].shape[1] != dim:
                    shape = list(parts[-1].shape)
                    raise ReleaseError(f"{path}: features of {name!r} must be [frames, {dim}], got {shape}.")
            counts = [len(part) for part in parts]
            if len(set(counts)) > 1:
                raise ReleaseError(f"the feature files disagree on the number of frames of {name!r}: {counts}.")
            yield np.concatenate(parts, axis=1)


def order_feature_files(
    folder: ReleaseFolder, split: Split, dims: Sequence[int], *, config: Path | None = None
) -> tuple[list[Path], list[int]]:
    """Which feature files a model reads, and in which order.

    The released `path.json` beside `model.json` says so, or the name of the results folder
    (`vis.<features>-<features>.txt...`); otherwise the sizes must leave one order only. One file may hold all
    features side by side.

    Args:
        folder: the release.
        split: whose features.
        dims: the sizes that the model was configured with, `dim_fts`.
        config: the `model.json` that was found.

    Returns:
        The files, and the numbers of a frame in each.

    Raises:
        ReleaseError: if no choice or several choices of files fit the sizes.
    """
    files = folder.feature_files(split)
    widths = {name: _width(path) for name, path in files.items()}
    wanted = [tuple(dims)] if len(dims) == 1 else [tuple(dims), (sum(dims),)]
    fitting = [
        order
        for sizes in wanted
        for order in permutations(files, len(sizes))
        if tuple(widths[name] for name in order) == sizes
    ]
    named = [order for order in fitting if _is_named(order, split, config)]
    choices = named or fitting
    if len(choices) != 1:
        listed = ", ".join(f"{name} ({width})" for name, width in widths.items())
        problem = "several orders of them fit" if choices else "they do not fit"
        raise ReleaseError(
            f"the features of {folder.root} for {split} are {listed}; dim_fts is {list(dims)}: {problem}. "
            "Keep the files it means, or put the release's path.json beside model.json."
        )
    return [files[name] for name in choices[0]], [widths[name] for name in choices[0]]


def _is_named(order: tuple[str, ...], split: Split, config: Path | None) -> bool:
    """Whether `path.json` or the results folder names these features in this order."""
    if config is None:
        return False
    paths = config.with_name("path.json")
    if not paths.is_file():
        return config.parent.name.startswith(f"vis.{'-'.join(order)}.")
    files = read_json(paths).get("attn_ft_files")
    listed = files.get(split) if isinstance(files, dict) else None
    return tuple(PurePosixPath(str(path)).parent.name for path in listed or ()) == order


def _width(path: Path) -> int:
    """Numbers of a frame, by the first video of a file."""
    with FeatureFile(path) as file:
        first = next(iter(file), None)
        if first is None:
            raise ReleaseError(f"{path} holds no features.")
        return int(file[first].shape[1])


_ROOT_ROLE = "ROOT"


def read_graph(caption: str, record: Any, limits: GraphLimits) -> SelectedGraph:
    """One caption's graph under the released reader's rules.

    Tokens are `caption.split()`. Only the role exactly `V` is an action, `ROOT` is skipped, everything else is an
    entity with its node's own role; edges lead from an action to an entity.

    Args:
        caption: the sentence.
        record: `[{node: {"role", "spans"}}, [[node, node, role]]]`; spans are lists of token indices.
        limits: how much is kept.

    Raises:
        ReleaseError: if the caption has no word or the record is no graph.
    """
    words = caption.split()
    if not words:
        raise ReleaseError(f"the caption {caption!r} has no word; take it out of ref_captions.json.")
    try:
        nodes, edges = record
        read = [
            (key, SelectedNode(position, str(node["role"]), _tokens(node["spans"])))
            for position, (key, node) in enumerate(nodes.items())
            if node["role"] != _ROOT_ROLE
        ]
        ids = {key: node.id for key, node in read}
        pairs = [(str(edge[0]), str(edge[1])) for edge in edges]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ReleaseError(
            f"the role graph of {caption!r} is invalid: {type(error).__name__}: {error}; expected "
            "[{node: {role, spans}}, [[action, entity, role]]] with at least one token in each span."
        ) from error
    return SelectedGraph.from_nodes(
        words,
        actions=[node for _, node in read if node.role == ACTION_ROLE],
        entities=[node for _, node in read if node.role != ACTION_ROLE],
        edges=[(ids[first], ids[second]) for first, second in pairs if first in ids and second in ids],
        limits=limits,
    )


def _tokens(spans: Sequence[int]) -> tuple[int, ...]:
    tokens = tuple(int(token) for token in spans)
    if not tokens or min(tokens) < 0:
        raise ValueError(f"spans are {list(tokens)}")
    return tokens


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReleaseDataset:
    """Captions and features of a split, under one model's vocabulary and limits.

    Attributes:
        names: the videos, in the order of the list of names.
        captions: each video's captions, in the file's order.
        role_graphs: as they stand in the file, by caption.
        features: each video's kept frame features, [F, K].
        omitted_frames: frames that the model's `max_frames` left out.
        text: the encoder whose vocabulary and limits apply.
    """

    names: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    role_graphs: Mapping[str, Any]
    features: Sequence[npt.NDArray[np.float32]]
    omitted_frames: int
    text: TextEncoder

    def pairs(self) -> list[tuple[int, str]]:
        """Position of a video and one of its captions: the videos in order, each one's captions in order."""
        return [(video, caption) for video, captions in enumerate(self.captions) for caption in captions]

    def graphs(self, captions: Sequence[str]) -> GraphBatch:
        """Some captions as a batch.

        Raises:
            ReleaseError: if a caption has no graph or no word, or its graph is not one.
        """
        missing = next((caption for caption in captions if caption not in self.role_graphs), None)
        if missing is not None:
            raise ReleaseError(f"sent2rolegraph.augment.json has no role graph of the caption {missing!r}.")
        selected = [read_graph(caption, self.role_graphs[caption], self.text.limits) for caption in captions]
        return GraphBatch.from_selected(selected, vocabulary=self.text.vocabulary, edges=self.text.edges)

    def videos(self, positions: Sequence[int]) -> VideoFeatures:
        """Some videos' features as a batch, by position in `names`."""
        return VideoFeatures.from_arrays([self.features[position] for position in positions])

    def __repr__(self) -> str:
        return f"ReleaseDataset(videos={len(self.names)}, pairs={len(self.pairs())})"


def open_split(folder: ReleaseFolder, split: Split, model: HgrModel, model_folder: Path | None) -> ReleaseDataset:
    """Read one split; a model that no folder holds goes by the release's own `model.json`.

    Raises:
        ReleaseError: if a file is missing or broken, or the features do not fit the model.
        FeatureFileError: if features cannot be read.
    """
    if not isinstance(model.text, TextEncoder):
        raise ReleaseError(
            f"the model's text encoder is of the type {model.text.kind!r}; a release's captions are read by "
            f"{TextEncoder.kind!r} only. Import the release's own model first."
        )
    names = folder.names(split)
    captions = _read_captions(folder, split, names)
    settings = folder.config_path() if model_folder is None else settings_path(folder, model_folder)
    dims = [model.feature_dim] if settings is None else list(read_config(settings).video.dim_fts)
    if sum(dims) != model.feature_dim:
        raise ReleaseError(
            f"the features have dim_fts {dims}, but the model was built with feature_dim={model.feature_dim}."
        )
    role_graphs = read_json(folder.annotation("sent2rolegraph.augment.json"))
    paths, widths = order_feature_files(folder, split, dims, config=settings)
    features, omitted_frames = [], 0
    for frames in read_features(paths, names, widths):
        kept = frames[evenly_spaced(len(frames), model.video.max_frames or len(frames))]
        features.append(kept)
        omitted_frames += len(frames) - len(kept)
    return ReleaseDataset(
        names=tuple(names),
        captions=captions,
        role_graphs=role_graphs,
        features=features,
        omitted_frames=omitted_frames,
        text=model.text,
    )


def _read_captions(folder: ReleaseFolder, split: Split, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Each video's captions."""
    path = folder.annotation("ref_captions.json")
    listed = read_json(path)
    missing = [name for name in names if name not in listed]
    if missing:
        raise ReleaseError(
            f"{path} has no captions of {len(missing)} videos of the split {split}: {_few(missing)}."
        )
    broken = [name for name in names if not _is_text_list(listed[name])]
    if broken:
        raise ReleaseError(f"{path} must list captions for each video; it does not for {_few(broken)}.")
    return tuple(tuple(listed[name]) for name in names)


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")


def settings_path(folder: ReleaseFolder, model_folder: Path) -> Path | None:
    """The released `model.json` that applies: the release's own if it has just one, else what the import kept.

    Raises:
        ReleaseError: if the release's own means another model than the one that was imported; the keys are listed.
    """
    kept = model_folder / NOTES_FOLDER / SETTINGS_FILE
    try:
        own = folder.config_path()
    except ReleaseError:
        return kept if kept.is_file() else None
    if kept.is_file() and (keys := read_config(own).what_differs(read_config(kept))):
        raise ReleaseError(f"{own} differs from what {model_folder} was imported with in {keys}; import it again.")
    return own
