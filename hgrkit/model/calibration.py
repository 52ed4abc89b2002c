"""How likely a hit is right: a model's calibration, kept beside its weights, which it does not touch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from hgrkit.errors import CheckpointError
from hgrkit.library.matches import Matches
from hgrkit.library.records import Float32, Float64, QueryEmbeddings
from hgrkit.library.rivals import Rivals
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.folder import CALIBRATION_FILE

__all__ = ["FEATURES", "LENGTHS", "Calibration", "JointGaussian", "lengths_of", "log_mean_exp"]

FORMAT = "2"

FEATURES = ("clips", "strength", "posterior", "margin", "says", "fits", "outdone", "action", "action_odds")
"""What a hit is judged by; `Calibration.features` says what each means."""

LENGTHS = 3
"""Questions of one node ("a dog"), of two ("a man in a kitchen") and of more have weights of their own. With one
set for all, whole captions of MSR-VTT's validation clips were judged worse (an area of right against wrong first
hits of 0.77 instead of 0.79), and short questions, too (0.755 instead of 0.765)."""

_TEMPERATURE = 0.05
"""Of scores at the action level. Of 0.02, 0.03, 0.05 and 0.1, tried on the fused score, the last two told right
from wrong first hits best, on MSR-VTT's validation clips."""

_NEXT = 4
"""Videos that the margin is taken to. On libraries of 98 of MSR-VTT's validation clips the area of right against
wrong first hits was 0.67 by it, and 0.62 by the margin to the next one alone."""

_VAGUE = 0.7
"""Of sqrt(K), which is the root mean square of strengths: up to here a question of one node says too little to be
denied, such as "a woman", which half of all clips show. Hardly one question for what is not there is that weak
(benchmarks/results/confidence.json)."""

_WEIGHTS = ("right", "match")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JointGaussian:
    """Events of sentences and of the clips that they describe, as pairs of correlated Gaussian variables.

    Canonical correlation analysis turns a sentence's event into K numbers x and a clip's into K numbers y that
    correlate pair by pair, by rho_k, if they belong together, and are independent if they do not. Evidence is the
    logarithm of how much likelier the two are together than apart:
    `sum_k -log(1 - rho^2) / 2 + (rho x y - rho^2 (x^2 + y^2) / 2) / (1 - rho^2)`.

    Attributes:
        text_map: [D, K], from an event of length one.
        text_mean: [K], taken off afterwards.
        clip_map: [D, K].
        clip_mean: [K].
        correlations: [K], in [0, 1).

    Source: canonical correlation as a model of probabilities, Bach and Jordan (2005), TR 688, section 2.
    """

    text_map: Float32
    text_mean: Float32
    clip_map: Float32
    clip_mean: Float32
    correlations: Float32

    def text(self, events: Float32) -> Float32:
        """Events of sentences, [C, D] -> x [C, K]."""
        mapped: Float32 = unit_vectors(events) @ self.text_map - self.text_mean
        return mapped

    def clip(self, events: Float32) -> Float32:
        """Events of clips, [V, D] -> y [V, K]."""
        mapped: Float32 = unit_vectors(events) @ self.clip_map - self.clip_mean
        return mapped

    def evidence(self, texts: Float32, clips: Float32) -> Float32:
        """That a clip and a sentence belong together, in nats: x [C, K], y [V, K] -> [V, C]."""
        rho = self.correlations
        scale = rho / (1 - rho**2)
        apart = -0.5 * float(np.log1p(-(rho**2)).sum())
        own_text = 0.5 * np.square(texts) @ (rho * scale)
        own_clip = 0.5 * np.square(clips) @ (rho * scale)
        found = (clips * scale) @ texts.T - own_text - own_clip[:, None] + np.float32(apart)
        return np.asarray(found, np.float32)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Calibration:
    """What a model has learned of its own answers, on data that it was not trained on.

    Attributes:
        gaussian: a second opinion on which clip a sentence describes.
        clip_bank: [N, K] clips that have nothing to do with a question.
        text_bank: [M, K] sentences that have nothing to do with a clip.
        means: [F] of each feature where it was fitted; they stand in where a feature cannot be had.
        right: [L, F + 1] weights of the logistic regression of a hit being right, for questions of each length;
            the last is the constant.
        match: [L, F + 1] the same for a question's being answered at all; positive says that it is.
        about: what it was fitted on, in plain JSON types.
    """

    gaussian: JointGaussian
    clip_bank: Float32
    text_bank: Float32
    means: Float64
    right: Float64
    match: Float64
    about: dict[str, Any] = attrs.field(factory=dict)

    def judge(self, query: QueryEmbeddings, matches: Matches, *, tuned: bool = False) -> tuple[list[float], bool]:
        """How likely each match is right, and whether the library seems to hold what was asked for at all.

        Args:
            query: the question.
            matches: what was found.
            tuned: scores have other level weights than the model's; the margin between them, which was fitted for
                these, then does not count.
        """
        if not matches:
            return [], False
        place = {video: number for number, video in enumerate(matches.rivals.videos)}
        places = np.array([place[match.video] for match in matches])
        features, lengths = self.features(query.event, matches.rivals, places), lengths_of([query])
        if tuned:
            features[:, FEATURES.index("margin")] = np.nan
        return self.confidences(features, lengths).tolist(), bool(self.matching(features[:1], lengths)[0] >= 0)

    def features(self, event: Float32, rivals: Rivals, places: npt.NDArray[np.int64]) -> Float64:
        """What hits are judged by, float64 [H, F]; NaN where there is nothing to compare with.

        - `clips`: the logarithm of how many clips were looked at;
        - `strength`: how much evidence a question can give at all, the length of its x;
        - `posterior`: logarithm of the odds, by evidence alone, that of the best videos this is the one. What each
          clip has in common with sentences that have nothing to do with it is taken off first;
        - `margin`: the score minus the mean of the best four others';
        - `says`: the evidence minus that for sentences that have nothing to do with the clip;
        - `fits`: the evidence minus that for clips that have nothing to do with the question;
        - `outdone`: the logarithm of the share of those clips whose evidence is as good;
        - `action`: the action level's score; 0 for a question without a verb;
        - `action_odds`: the posterior, by the action level's score alone.

        Args:
            event: of the question, [D].
            rivals: the best videos.
            places: which of them the hits are, [H].
        """
        text, clips = self.gaussian.text(event[None]), self.gaussian.clip(rivals.events)
        evidence = self.gaussian.evidence(text, clips)[:, 0].astype(np.float64)  # [R]
        says = evidence - log_mean_exp(self.gaussian.evidence(self.text_bank, clips))
        bank = self.gaussian.evidence(text, self.clip_bank)[:, 0].astype(np.float64)  # [N]
        actions = rivals.actions / _TEMPERATURE
        strength = float(np.linalg.norm(text))
        found = np.full((len(places), len(FEATURES)), np.nan)
        for row, place in zip(found, places.tolist(), strict=True):
            row[:2] = np.log(rivals.num_clips), strength
            if len(evidence) > 1:
                row[2] = _log_odds(says, place)
                row[3] = rivals.scores[place] - np.sort(np.delete(rivals.scores, place))[-_NEXT:].mean()
            row[4] = says[place]
            row[5] = evidence[place] - log_mean_exp(bank)
            row[6] = np.log(np.mean(bank >= evidence[place]) + 1 / len(bank))
            row[7] = rivals.actions[place]
            if len(evidence) > 1 and actions.any():
                row[8] = _log_odds(actions, place)
        return found

    def confidences(self, features: Float64, lengths: npt.NDArray[np.int64]) -> Float64:
        """How likely each hit is the video that was meant, in [0, 1]: [H, F] -> [H].

        Args:
            features: of the hits.
            lengths: `lengths_of` the question of each, or of the one of all, [H] or [1].
        """
        likely: Float64 = 1 / (1 + np.exp(-self._weighed(features, self.right[lengths])))
        return likely

    def matching(self, features: Float64, lengths: npt.NDArray[np.int64]) -> Float64:
        """How much speaks for each hit showing what was asked, [H, F] -> [H]; below 0, more speaks against it."""
        weighed = self._weighed(features, self.match[lengths])
        least = _VAGUE * np.sqrt(len(self.gaussian.correlations))
        vague = (lengths == 0) & (features[:, FEATURES.index("strength")] <= least)
        return np.where(vague, np.maximum(weighed, 0), weighed)

    def _weighed(self, features: Float64, weights: Float64) -> Float64:
        known = np.where(np.isnan(features), self.means, features)
        weighed: Float64 = (known * weights[:, :-1]).sum(axis=1) + weights[:, -1]
        return weighed

    def save(self, folder: Path, *, fingerprint: str) -> Path:
        """Write it into a model folder, for the model with that fingerprint; banks and maps as float16."""
        half = {**attrs.asdict(self.gaussian), "clip_bank": self.clip_bank, "text_bank": self.text_bank}
        full = {name: getattr(self, name) for name in ("means", *_WEIGHTS)}
        arrays = {name: array.astype(np.float16) for name, array in half.items()} | full
        told = {"format": FORMAT, "model": fingerprint, "features": " ".join(FEATURES)}
        path = folder / CALIBRATION_FILE
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            path,
            metadata={**told, "about": json.dumps(self.about, sort_keys=True)},
        )
        path.chmod(0o644)  # safetensors lets the owner alone read it
        return path

    @classmethod
    def read(cls, folder: Path, *, fingerprint: str) -> Calibration | None:
        """The calibration of a model folder, `None` if it has none.

        Args:
            folder: the model folder.
            fingerprint: the model's.

        Raises:
            CheckpointError: if it is damaged, or was made for another model or by another release.
        """
        path = folder / CALIBRATION_FILE
        if not path.is_file():
            return None
        try:
            with safe_open(path, "numpy") as file:
                told, arrays = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = json.loads(told.get("about", "{}"))
        except (SafetensorError, OSError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}; delete it, or calibrate again.") from error
        if (told.get("format"), told.get("features")) != (FORMAT, " ".join(FEATURES)):
            raise CheckpointError(f"{path} was made by another release of hgrkit; delete it, or calibrate again.")
        if told.get("model") != fingerprint:
            raise CheckpointError(f"{path} was made for other weights; delete it, or calibrate again.")
        return cls._of(arrays, about, path)

    @classmethod
    def _of(cls, arrays: dict[str, npt.NDArray[Any]], about: dict[str, Any], path: Path) -> Calibration:
        gaussian = [field.name for field in attrs.fields(JointGaussian)]
        halves = [*gaussian, "clip_bank", "text_bank"]
        if set(arrays) != {*halves, "means", *_WEIGHTS}:
            raise CheckpointError(f"{path} holds {sorted(arrays)}, which is not a calibration; delete it.")
        if not all(array.dtype.kind == "f" and np.isfinite(array).all() for array in arrays.values()):
            raise CheckpointError(f"{path} holds what is no finite number; delete it, or calibrate again.")
        if arrays["text_map"].ndim != 2 or 0 in arrays["text_map"].shape:
            raise CheckpointError(f"{path}: text_map should have two axes; delete it, or calibrate again.")
        dim, rank = arrays["text_map"].shape
        clips, texts = (len(arrays[name]) if arrays[name].ndim else 0 for name in ("clip_bank", "text_bank"))
        for name, shape in {
            **dict.fromkeys(("text_map", "clip_map"), (dim, rank)),
            **dict.fromkeys(("text_mean", "clip_mean"), (rank,)),
            "correlations": (rank,),
            "clip_bank": (max(1, clips), rank),
            "text_bank": (max(1, texts), rank),
            "means": (len(FEATURES),),
            **dict.fromkeys(_WEIGHTS, (LENGTHS, len(FEATURES) + 1)),
        }.items():
            if arrays[name].shape != shape:
                raise CheckpointError(f"{path}: {name} should be {list(shape)}, is {list(arrays[name].shape)}.")
        if (np.abs(arrays["correlations"].astype(np.float32)) >= 1).any():
            raise CheckpointError(f"{path}: correlations should be below 1; delete it, or calibrate again.")
        single: dict[str, Float32] = {name: arrays[name].astype(np.float32) for name in halves}
        double: dict[str, Float64] = {name: arrays[name].astype(np.float64) for name in ("means", *_WEIGHTS)}
        return cls(
            gaussian=JointGaussian(**{name: single[name] for name in gaussian}),
            clip_bank=single["clip_bank"],
            text_bank=single["text_bank"],
            about=about,
            **double,
        )


def lengths_of(queries: Sequence[QueryEmbeddings]) -> npt.NDArray[np.int64]:
    """Which weights judge each question, by its nodes: 0 for one (or none), 1 for two, 2 for more."""
    nodes = np.array([len(query.action) + len(query.entity) for query in queries], np.int64)
    return np.clip(nodes, 1, LENGTHS) - 1


def _log_odds(values: Float64, place: int) -> float:
    """Of one of some values against all others, if each is the logarithm of a weight."""
    others = np.delete(values, place)
    return float(values[place] - log_mean_exp(others) - np.log(len(others)))


def log_mean_exp(values: npt.NDArray[np.floating[Any]]) -> Float64:
    """`log mean exp` over the last axis.

    >>> round(float(log_mean_exp(np.array([0.0, np.log(3.0)]))), 3)
    0.693
    """
    highest = values.max(axis=-1, keepdims=True)  # taken off before the exponential, which would overflow
    return np.asarray(np.log(np.exp(values - highest).mean(axis=-1)) + highest[..., 0], np.float64)
