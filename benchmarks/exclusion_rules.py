"""Rules for what an excluded phrase takes off, beside the one that is used, on clips to choose on.

s is what a clip scores for the phrase as a question of its own. Pairs and clips are those of `exclusion.py`.

    python benchmarks/exclusion_rules.py --data DATA --cache FOLDER --out benchmarks/results/exclusion_rules.json
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from exclusion import OF_SUBJECT, Clips, opened
from result_file import arguments, described, model_described, write_result

Scores = npt.NDArray[Any]

WEIGHTS = (0.5, 1.0, 1.5, 2.0, 3.0)
DEVIATION = 0.12
"""What a deviation counts, so that its weights are those of the others: a usual one of these scores."""

RULES: Mapping[str, Callable[[Scores, Scores], Scores]] = {
    "max(s, 0), as it is": lambda s, _: np.maximum(s, 0),
    "s, without a bottom": lambda s, _: s,
    "above the median of all clips": lambda s, _: DEVIATION * np.maximum(deviations(s), 0),
    "a deviation above the median": lambda s, _: DEVIATION * np.maximum(deviations(s) - 1, 0),
    "above what the querybank scores": lambda s, bank: np.maximum(s - bank, 0),
}


def deviations(scores: Scores) -> Scores:
    """Standardised by the median and the median absolute deviation of all clips, [V, C]."""
    centred = scores - np.median(scores, axis=0)
    found: Scores = centred / (1.4826 * np.median(np.abs(centred), axis=0))
    return found


def measure(clips: Clips) -> dict[str, Any]:
    """Each rule at each weight, by the scores of whole videos."""
    paths = list(clips.retriever.library.indexed_paths())
    subjects = clips.retriever.scores([pair.subject for pair in clips.pairs])  # [V, C]
    things = clips.retriever.read([pair.thing for pair in clips.pairs])
    shown = clips.retriever.scores(things)
    bank = shown - clips.retriever.scores(things, querybank_norm=True)
    rows = {path: row for row, path in enumerate(paths)}

    def figures(scores: Scores) -> dict[str, float]:
        right, good = [], []
        for column, pair in enumerate(clips.pairs):
            lacks, shows = (rows[clips.paths[name]] for name in (pair.lacks, pair.shows))
            right.append(scores[lacks, column] > scores[shows, column])
            for row in np.argsort(-scores[:, column], kind="stable")[:10]:
                subject, thing = clips.subject_shares[pair.subject], clips.thing_shares[pair.thing]
                good.append(subject[paths[row]] >= OF_SUBJECT and not thing[paths[row]])
        return {
            "right pairs, per cent": round(100 * float(np.mean(right)), 1),
            "first ten of the subject, without the thing, per cent": round(100 * float(np.mean(good)), 1),
        }

    return {
        name: {f"{weight:g}": figures(subjects - weight * rule(shown, bank)) for weight in WEIGHTS}
        for name, rule in RULES.items()
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with opened(options, reporting=False) as clips:
        measured = {"clips": len(clips.paths), "pairs": len(clips.pairs), "by rule and weight": measure(clips)}
    model = {"model": model_described("default")}
    write_result({**described(options, seed=options.seed), **model, **measured}, options.out)
