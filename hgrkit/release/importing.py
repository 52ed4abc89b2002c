"""Makes a model folder from a released checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from hgrkit.checkpoint import save_model
from hgrkit.errors import ConfigError, ReleaseError
from hgrkit.matching.matcher import Matcher
from hgrkit.model import HgrModel, ModelOrigin
from hgrkit.model_folder import NOTES_FOLDER
from hgrkit.release.config import ReleaseConfig, read_config
from hgrkit.release.layout import ReleaseFolder, read_json
from hgrkit.release.weights import load_weights, read_checkpoint
from hgrkit.text.text_encoder import TextEncoder
from hgrkit.text.vocabulary import Vocabulary
from hgrkit.video.video_encoder import VideoEncoder
from hgrkit.writing import writing

__all__ = ["SETTINGS_FILE", "ImportReport", "build_released_model", "import_release"]

SETTINGS_FILE = "release.json"
"""The released `model.json` as it was read, kept in the model folder for those who want to train on."""

_UNKNOWN_ID = 2
"""The id of words that `word2int.json` does not list, fixed in the released code."""


@attrs.frozen(kw_only=True)
class ImportReport:
    """What was imported.

    Attributes:
        model: the model folder that was written.
        checkpoint: the checkpoint that was read.
        config: the `model.json` that was read.
        tensors: number of weight tensors.
        parameters: number of weights in them.
        words: rows of the word vectors.
        embed_dim: D.
        feature_dim: K.
    """

    model: Path
    checkpoint: Path
    config: Path
    tensors: int
    parameters: int
    words: int
    embed_dim: int
    feature_dim: int

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types."""
        record = attrs.asdict(self)
        return {key: str(value) if isinstance(value, Path) else value for key, value in record.items()}


def import_release(
    directory: str | Path, out: str | Path, *, checkpoint: str | Path | None = None
) -> ImportReport:
    """Turn a release into a model folder that gives the same numbers.

    Args:
        directory: a folder in the layout of the released code, or flat.
        out: the model folder to write.
        checkpoint: which weights; otherwise the highest `epoch.N.th`.

    Raises:
        MissingPathError: if the folder or the checkpoint does not exist.
        ReleaseError: if a file is missing or broken, a setting cannot be honoured, or the weights do not fit.
        CheckpointError: if something that is not a model folder is at `out`.
    """
    folder = ReleaseFolder(directory)
    named = None if checkpoint is None else folder.named_checkpoint(checkpoint)
    config_path = folder.config_path(named)
    weights_path = named or folder.checkpoint(config_path)
    config = read_config(config_path)
    model = build_released_model(
        config, _read_vocabulary(folder, config.text.num_words), name=folder.root.resolve().name
    )
    load_weights(model, read_checkpoint(weights_path), weights_path)
    notes = {SETTINGS_FILE: config_path.read_text(encoding="utf-8")}
    with writing(Path(out)):
        save_model(model, out, card=_card(model, folder, weights_path), notes=notes)
    weights = model.state_dict()
    return ImportReport(
        model=Path(out),
        checkpoint=weights_path,
        config=config_path,
        tensors=len(weights),
        parameters=sum(tensor.numel() for tensor in weights.values()),
        words=config.text.num_words,
        embed_dim=model.embed_dim,
        feature_dim=model.feature_dim,
    )


def build_released_model(config: ReleaseConfig, vocabulary: Vocabulary, *, name: str = "") -> HgrModel:
    """The model that a released config describes, with fresh weights."""
    text, video = config.text, config.video
    return HgrModel(
        text=TextEncoder(
            vocabulary=vocabulary,
            embed_dim=text.rnn_hidden_size,
            word_dim=text.dim_word,
            recurrence="gru" if text.rnn_type == "gru" else "lstm",
            bidirectional=text.bidirectional,
            num_layers=text.num_layers,
            dropout=text.dropout,
            num_roles=text.num_roles,
            graph_layers=text.gcn_num_layers,
            graph_attention=text.gcn_attention,
            graph_dropout=text.gcn_dropout,
            train_words=not text.fix_word_embed,
            max_actions=config.num_verbs,
            max_entities=config.num_nouns,
            max_tokens=config.max_words_in_sent,
            edges="released",
        ),
        video=VideoEncoder(
            feature_dim=sum(video.dim_fts),
            embed_dim=video.dim_embed,
            dropout=video.dropout,
            shared_projection=video.share_enc,
            max_frames=config.max_frames_in_video,
        ),
        matcher=Matcher(
            sharpness=config.simattn_sigma, fusion="embed" if config.attn_fusion == "embed" else "sim"
        ),
        origin=ModelOrigin(name=name),
    )


def _read_vocabulary(folder: ReleaseFolder, num_words: int) -> Vocabulary:
    path = folder.annotation("word2int.json")
    ids = read_json(path)
    if not all(isinstance(number, int) for number in ids.values()):
        raise ReleaseError(f"{path} must give each word a whole number.")
    try:
        return Vocabulary(ids=ids, unknown_id=_UNKNOWN_ID, size=num_words)
    except ConfigError as error:
        raise ReleaseError(f"{path} does not fit num_words {num_words} of model.json: {error}") from error


def _card(model: HgrModel, folder: ReleaseFolder, checkpoint: Path) -> str:
    return f"""# {model.origin.name}

Imported from a release of HGR (Chen, Zhao, Jin, Wu: "Fine-grained Video-Text Retrieval with Hierarchical Graph
Reasoning", CVPR 2020), checkpoint `{checkpoint.name}` of `{folder.root.resolve().name}`.

- embedding size {model.embed_dim}
- {model.feature_dim} numbers a frame, at most {model.video.max_frames} frames a clip
- `{NOTES_FOLDER}/{SETTINGS_FILE}` is the `model.json` that it was trained with
- the terms are those of the release and of the data that it was trained on
"""
