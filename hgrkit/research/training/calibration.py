"""Fits a model's calibration: how likely its hits are right, on clips and sentences that it was not trained on.

Each data set is divided in two halves by its clips. One half teaches what counts as evidence. From the other,
libraries of several sizes are drawn, and asked about their own clips and about what none of them shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError
from hgrkit.library.records import Float64, QueryEmbeddings
from hgrkit.library.rivals import NUM_RIVALS, Rivals
from hgrkit.library.scoring import ClipSet, SearchSettings
from hgrkit.model.calibration import FEATURES, LENGTHS, Calibration, lengths_of
from hgrkit.research.training.correlation import fit_gaussian
from hgrkit.research.training.logistic import fit_logistic

__all__ = ["AskedClips", "Outcome", "Settings", "ask", "fit_calibration"]

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


_MATCH_UP_TO = 400
"""Clips of the libraries that matching is fitted on: larger ones lack too little to ask for."""

_FEWEST = 30
"""Questions of a length whose first hit is right, or wrong, that it takes for weights of their own."""

_MENTIONS = 2
"""Captions that must mention what a short question asks for."""


@attrs.frozen(kw_only=True)
class Settings:
    """How a calibration is fitted; `ranks` and `absent` were chosen on MSR-VTT's validation clips.

    Attributes:
        rank: K, pairs of correlated variables.
        ridge: what is added to both covariances, as a share of their mean variance.
        clip_bank: clips of the bank.
        text_bank: sentences of the bank.
        sizes: clips of the libraries that are drawn.
        draws: libraries of each size.
        questions: asked of each library about its clips, at most, and as many about what none shows; as many
            short ones of both kinds.
        captions: of each clip that are asked, at most; all of them tell which short questions it answers.
        short: short questions of each kind, at most.
        common: share of short questions that are drawn by how many clips answer them: people ask for what is
            common, but without the rest "a man" would be nearly all that is learned from.
        absent: weight of the latter among all that is asked, where being right is fitted.
        kept: share of right first hits that count as matching.
        kept_short: the same for questions of one or two nodes.
        ranks: hits of each answer that being right is fitted on.
        penalty: of the squared weights of standardised features.
        seed: of all that is drawn.
    """

    rank: int = 128
    ridge: float = 0.5
    clip_bank: int = 1000
    text_bank: int = 500
    sizes: tuple[int, ...] = (20, 98, 300, 1000, 3000)
    draws: int = 6
    questions: int = 300
    captions: int = 5
    short: int = 1500
    common: float = 0.25
    absent: float = 0.1
    kept: float = 0.87
    kept_short: float = 0.91
    ranks: int = 3
    penalty: float = 1.0
    seed: int = 0


@attrs.frozen(kw_only=True, eq=False)
class AskedClips:
    """A data set: clips, and sentences that describe them.

    Attributes:
        name: what it is called.
        clips: V clips.
        queries: C sentences.
        owners: [C] the clip that each describes.
        nouns: of each sentence; a sentence none of whose nouns is said of a library's clips asks for what it does
            not hold.
        short: S short questions, such as "a dog"; several clips may answer one, or none.
        mentions: [S, V] how many captions of a clip mention all that a short question asks for.
    """

    name: str
    clips: ClipSet
    queries: Sequence[QueryEmbeddings]
    owners: Places
    nouns: Sequence[frozenset[str]]
    short: Sequence[QueryEmbeddings] = ()
    mentions: npt.NDArray[np.int16] = attrs.field(factory=lambda: np.zeros((0, 0), np.int16))

    def only(self, clips: Flags) -> AskedClips:
        """The same with some of the clips, and their sentences."""
        kept, asked = np.flatnonzero(clips), np.flatnonzero(clips[self.owners])
        return AskedClips(
            name=self.name,
            clips=some_clips(self.clips, kept),
            queries=[self.queries[place] for place in asked.tolist()],
            owners=np.searchsorted(kept, self.owners[asked]),
            nouns=[self.nouns[place] for place in asked.tolist()],
            short=self.short,
            mentions=self.mentions[:, clips] if self.short else self.mentions,
        )

    @property
    def events(self) -> npt.NDArray[np.float32]:
        """Events of the sentences, [C, D]."""
        return np.stack([query.event for query in self.queries])


@attrs.frozen(kw_only=True, eq=False)
class Outcome:
    """What questions to one library were answered, judged.

    Attributes:
        features: [Q, R, F] of the best R hits of each.
        scores: [Q, R] of these hits.
        right: [Q, R] whether the hit is the clip that was meant, or one that answers a short question.
        present: whether the library holds what was asked for.
        clips: how many it holds.
        lengths: [Q] which weights judge each question.
        short: whether the questions are short ones.
    """

    features: Float64
    scores: Float64
    right: Flags
    present: bool
    clips: int
    lengths: Places
    short: bool = False


def fit_calibration(
    sets: Sequence[AskedClips], search: SearchSettings, settings: Settings | None = None
) -> Calibration:
    """Fit a calibration on data that the model was not trained on.

    Args:
        sets: at least one data set; all count the same.
        search: how the model compares.
        settings: how it is fitted.

    Raises:
        ConfigError: if there is no data set, one has too few clips to draw a library from each half, or no hit is
            right, or none wrong.
    """
    settings = settings or Settings()
    least = min(settings.sizes)
    if not sets or any(len(one.clips.event) < 2 * least for one in sets):
        raise ConfigError(f"a calibration is fitted on data sets of at least {2 * least} clips; give larger ones.")
    rng = np.random.default_rng(settings.seed)
    first = [rng.permutation(len(one.clips.event)) < len(one.clips.event) / 2 for one in sets]
    outcomes: list[list[Outcome]] = [[] for _ in sets]
    for learn, judge in ((first, [~half for half in first]), ([~half for half in first], first)):
        learned = [one.only(half) for one, half in zip(sets, learn, strict=True)]
        judged = [one.only(half) for one, half in zip(sets, judge, strict=True)]
        draft = _draft(learned, settings, rng)
        for number, one in enumerate(judged):
            outcomes[number] += _answers(draft, one, judged, search, settings=settings, rng=rng)
    first_hits = np.concatenate([one.features[:, 0] for found in outcomes for one in found])
    known = ~np.isnan(first_hits)  # a feature may be missing everywhere, as in questions without a verb
    means = np.where(known, first_hits, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    about = {"sets": {one.name: len(one.clips.event) for one in sets}, "settings": attrs.asdict(settings)}
    whole = _draft(sets, settings, rng)
    strata = [
        [one for one in found if (one.present, one.clips, one.short) == stratum]
        for found in outcomes
        for stratum in sorted({(one.present, one.clips, one.short) for one in found})
    ]
    right = [_fit_right(_of_length(strata, length), means, settings) for length in range(LENGTHS)]
    kept = [settings.kept if length == LENGTHS - 1 else settings.kept_short for length in range(LENGTHS)]
    match = [_fit_match(_of_length(strata, length), means, settings, share) for length, share in enumerate(kept)]
    return attrs.evolve(whole, means=means, right=np.stack(right), match=np.stack(match), about=about)


def _draft(sets: Sequence[AskedClips], settings: Settings, rng: np.random.Generator) -> Calibration:
    """The evidence and the banks, without weights."""
    texts = np.concatenate([one.events for one in sets])
    clips = np.concatenate([one.clips.event[one.owners] for one in sets]).astype(np.float32)
    gaussian = fit_gaussian(texts, clips, rank=settings.rank, ridge=settings.ridge)
    largest = max(sets, key=lambda one: len(one.clips.event))  # clips of one kind: the background of a question
    clip_bank = rng.permutation(largest.clips.event)[: settings.clip_bank].astype(np.float32)
    each = -(-settings.text_bank // len(sets))
    text_bank = np.concatenate([rng.permutation(one.events)[:each] for one in sets])
    return Calibration(
        gaussian=gaussian,
        clip_bank=gaussian.clip(clip_bank),
        text_bank=gaussian.text(text_bank),
        means=np.zeros(len(FEATURES)),
        right=np.zeros((LENGTHS, len(FEATURES) + 1)),
        match=np.zeros((LENGTHS, len(FEATURES) + 1)),
    )


def _answers(
    calibration: Calibration,
    asked: AskedClips,
    every: Sequence[AskedClips],
    search: SearchSettings,
    *,
    settings: Settings,
    rng: np.random.Generator,
) -> Iterator[Outcome]:
    """Libraries of every size that the data set allows, asked about what they hold and about what they do not."""
    count = len(asked.clips.event)
    for size in dict.fromkeys(min(size, count) for size in settings.sizes):
        for _ in range(settings.draws if size < count else 1):
            library = np.sort(rng.permutation(count)[:size])
            own = np.flatnonzero(np.isin(asked.owners, library))
            own = rng.permutation(own)[: settings.questions]
            clips = some_clips(asked.clips, library)
            fits = asked.owners[own, None] == library
            queries = [asked.queries[place] for place in own.tolist()]
            yield ask(calibration, clips, queries, fits, search, ranks=settings.ranks)
            absent = absent_questions(asked, library, every)
            absent = [absent[place] for place in rng.permutation(len(absent))[: settings.questions]]
            if absent:
                yield ask(calibration, clips, absent, None, search, ranks=settings.ranks)
            elif size <= _MATCH_UP_TO:  # a small set may have no sentence about what is not there
                yield ask(calibration, clips, queries, fits, search, ranks=settings.ranks, without_own=True)
            for short, answered in short_questions_for(
                asked, library, rng, settings.questions, common=settings.common
            ):
                found = ask(calibration, clips, short, answered, search, ranks=settings.ranks)
                yield attrs.evolve(found, short=True)


def short_questions_for(
    asked: AskedClips, library: Places, rng: np.random.Generator, count: int, *, common: float = 0.0
) -> Iterator[tuple[list[QueryEmbeddings], Flags | None]]:
    """Short questions with the clips of a library that answer each, bool [Q, V], and such as none answers.

    A clip answers a question if at least two of its captions mention it: one may be mistaken. What is mentioned
    so seldom in a library is not asked of it.

    Args:
        asked: the data set.
        library: which of its clips.
        rng: draws the questions.
        count: questions with an answer, at most, and as many without.
        common: share of the former that are drawn the more often, the more clips answer them, and so repeatedly.
    """
    if not asked.short:
        return
    mentions = asked.mentions[:, library]
    most = mentions.max(axis=1)
    for places in (np.flatnonzero(most >= _MENTIONS), np.flatnonzero(most == 0)):
        answers = (mentions[places] >= _MENTIONS).sum(axis=1)
        drawn = rng.permutation(places)[:count]
        if common and answers.any():
            drawn = rng.choice(places, count, p=common * answers / answers.sum() + (1 - common) / len(places))
        fits = mentions[drawn] >= _MENTIONS
        if len(drawn):
            yield [asked.short[place] for place in drawn.tolist()], fits if fits.any() else None


def absent_questions(asked: AskedClips, library: Places, every: Sequence[AskedClips]) -> list[QueryEmbeddings]:
    """Sentences of all data sets none of whose nouns is said of a library's clips."""
    said = frozenset[str]().union(
        *(asked.nouns[place] for place in np.flatnonzero(np.isin(asked.owners, library)).tolist())
    )
    return [
        query
        for one in every
        for query, nouns in zip(one.queries, one.nouns, strict=True)
        if nouns and said.isdisjoint(nouns)
    ]


def ask(
    calibration: Calibration,
    clips: ClipSet,
    queries: Sequence[QueryEmbeddings],
    fits: Flags | None,
    search: SearchSettings,
    *,
    ranks: int = 1,
    rivals: int = NUM_RIVALS,
    without_own: bool = False,
) -> Outcome:
    """Ask a library of clips, a video each, as a search does.

    Args:
        calibration: judges the hits.
        clips: the library.
        queries: what is asked.
        fits: which clips answer each, [Q, V]; `None` if the library holds none of them.
        search: how the model compares.
        ranks: R, hits of each answer.
        rivals: best clips that a hit is compared with.
        without_own: take each question's own clip, the one that fits, out of the library first.
    """
    levels = clips.levels(queries, search)
    scores = np.asarray(search.fuse(levels), np.float64)  # [V, Q]
    if fits is not None and without_own:
        scores[fits.T] = -np.inf
    num_clips = len(scores) - int(without_own)
    count = min(rivals, num_clips)
    ranks = min(ranks, num_clips)
    features = np.empty((len(queries), ranks, len(FEATURES)))
    found = np.empty((len(queries), ranks))
    right = np.zeros((len(queries), ranks), np.bool_)
    for column, query in enumerate(queries):
        best = np.argsort(-scores[:, column], kind="stable")[:count]
        best_clips = Rivals(
            videos=[],
            scores=scores[best, column],
            actions=levels.action[best, column].astype(np.float64),
            events=clips.event[best].astype(np.float32),
            num_clips=num_clips,
        )
        features[column] = calibration.features(query.event, best_clips, np.arange(ranks))
        found[column] = best_clips.scores[:ranks]
        if fits is not None and not without_own:
            right[column] = fits[column, best[:ranks]]
    present = fits is not None and not without_own
    return Outcome(
        features=features, scores=found, right=right, present=present, clips=num_clips, lengths=lengths_of(queries)
    )


def _of_length(strata: Sequence[Sequence[Outcome]], length: int) -> list[list[Outcome]]:
    """Questions of one length only; all, if hits of too few of them are right or wrong to learn from."""
    chosen = [
        [
            attrs.evolve(one, features=one.features[own], right=one.right[own], lengths=one.lengths[own])
            for one in stratum
            for own in [one.lengths == length]
        ]
        for stratum in strata
    ]
    right = np.concatenate([one.right[:, 0] for stratum in chosen for one in stratum])
    enough = _FEWEST <= right.sum() <= len(right) - _FEWEST
    return chosen if enough else [list(stratum) for stratum in strata]


def _fit_right(strata: Sequence[Sequence[Outcome]], means: Float64, settings: Settings) -> Float64:
    """Being right, of the first hits and some behind them: all strata of a kind count the same."""
    features, right, weights = [], [], []
    for stratum in strata:
        rows = sum(one.right.size for one in stratum)
        for one in stratum:
            share = 1 - settings.absent if one.present else settings.absent
            features.append(one.features.reshape(-1, len(FEATURES)))
            right.append(one.right.reshape(-1))
            weights.append(np.full(one.right.size, 1000 * share / max(1, rows)))
    known, is_right = _filled(np.concatenate(features), means), np.concatenate(right)
    if is_right.all() or not is_right.any():
        raise ConfigError(
            f"{'all' if is_right.all() else 'none'} of the model's hits are right, which says nothing of its "
            "confidence; calibrate on other clips, or on more."
        )
    return fit_logistic(known, is_right, np.concatenate(weights), penalty=settings.penalty)


def _fit_match(strata: Sequence[Sequence[Outcome]], means: Float64, settings: Settings, kept: float) -> Float64:
    """Right first hits against those of questions for what is not there; the constant keeps a share of them."""
    parts, sides, weights = [], [], []
    for stratum in strata:
        if stratum[0].clips > _MATCH_UP_TO:
            continue
        part = np.concatenate([one.features[:, 0][one.right[:, 0] | (not one.present)] for one in stratum])
        parts.append(part)
        sides.append(np.full(len(part), stratum[0].present))
        weights.append(np.full(len(part), 1000 / max(1, len(part))))
    known, matching, weight = _filled(np.concatenate(parts), means), np.concatenate(sides), np.concatenate(weights)
    fitted = fit_logistic(known, matching, weight, penalty=settings.penalty)
    values, counted = (known @ fitted[:-1])[matching], weight[matching]
    order = np.argsort(-values)
    last = np.searchsorted(np.cumsum(counted[order]), kept * counted.sum())
    fitted[-1] = -values[order[last]]
    return fitted


def _filled(features: Float64, means: Float64) -> Float64:
    return np.where(np.isnan(features), means, features)


def some_clips(clips: ClipSet, places: Places) -> ClipSet:
    """Some clips of a set, by their places; frames stay where they lie."""
    return attrs.evolve(clips, event=clips.event[places], starts=clips.starts[places], counts=clips.counts[places])
