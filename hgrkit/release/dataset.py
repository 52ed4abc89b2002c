"""One split of a release as a model reads it: captions as graph batches, videos as features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ReleaseError
from hgrkit.model import HgrModel
from hgrkit.model_folder import note_path
from hgrkit.release.captions import ReleaseCaptions, read_captions
from hgrkit.release.config import read_config
from hgrkit.release.features import order_feature_files, read_features
from hgrkit.release.importing import SETTINGS_FILE
from hgrkit.release.layout import ReleaseFolder, Split
from hgrkit.text.graph_batch import GraphBatch
from hgrkit.text.text_encoder import TextEncoder
from hgrkit.video.features import VideoFeatures, evenly_spaced

__all__ = ["ReleaseDataset", "open_split", "settings_path"]


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReleaseDataset:
    """Captions and features of a split, under one model's vocabulary and limits.

    Attributes:
        captions: which caption belongs to which video, and the role graphs.
        features: each video's kept frame features, [F, K], in the order of the names.
        omitted_frames: frames that the model's `max_frames` left out.
        text: the encoder whose vocabulary and limits apply.
    """

    captions: ReleaseCaptions
    features: Sequence[npt.NDArray[np.float32]]
    omitted_frames: int
    text: TextEncoder

    def graphs(self, captions: Sequence[str]) -> GraphBatch:
        """Some captions as a batch.

        Raises:
            ReleaseError: if a caption has no graph or no word, or its graph is not one.
        """
        selected = self.captions.select(captions, self.text.limits)
        return GraphBatch.from_selected(selected, vocabulary=self.text.vocabulary, edges=self.text.edges)

    def videos(self, positions: Sequence[int]) -> VideoFeatures:
        """Some videos' features as a batch, by position in the list of names."""
        return VideoFeatures.from_arrays([self.features[position] for position in positions])

    def __repr__(self) -> str:
        return f"ReleaseDataset({self.captions!r})"


def open_split(folder: ReleaseFolder, split: Split, model: HgrModel, model_folder: Path) -> ReleaseDataset:
    """Read one split.

    Raises:
        ReleaseError: if a file is missing or broken, or the features do not fit the model.
    """
    if not isinstance(model.text, TextEncoder):
        raise ReleaseError(
            f"the model's text encoder is of the type {model.text.kind!r}; a release's captions are read by "
            f"{TextEncoder.kind!r} only. Import the release's own model first."
        )
    captions = read_captions(folder, split)
    settings = settings_path(folder, model_folder)
    dims = [model.feature_dim] if settings is None else list(read_config(settings).video.dim_fts)
    if sum(dims) != model.feature_dim:
        raise ReleaseError(
            f"the features have dim_fts {dims}, but the model was built with feature_dim={model.feature_dim}."
        )
    paths, widths = order_feature_files(folder, split, dims, config=settings)
    features, omitted_frames = [], 0
    for frames in read_features(paths, captions.names, widths):
        kept = frames[evenly_spaced(len(frames), model.video.max_frames or len(frames))]
        features.append(kept)
        omitted_frames += len(frames) - len(kept)
    return ReleaseDataset(captions=captions, features=features, omitted_frames=omitted_frames, text=model.text)


def settings_path(folder: ReleaseFolder, model_folder: Path) -> Path | None:
    """The released `model.json` that applies: the release's own if it has just one, else what the import kept.

    Raises:
        ReleaseError: if the release's own means another model than the one that was imported; the keys are listed.
    """
    kept = note_path(model_folder, SETTINGS_FILE)
    try:
        own = folder.config_path()
    except ReleaseError:
        return kept if kept.is_file() else None
    if kept.is_file() and (keys := read_config(own).what_differs(read_config(kept))):
        raise ReleaseError(f"{own} differs from what {model_folder} was imported with in {keys}; import it again.")
    return own
