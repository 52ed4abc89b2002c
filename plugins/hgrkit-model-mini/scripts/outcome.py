"""What systems of one variation, one of each seed, make of all questions, and how far another is ahead of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from experiment import MEASURES, Ranks, leads, of_all_seeds, reported
from foil_choices import ACCURACY, ALL, FOILS, choose, rank_choices
from msvd_clips import Clips

from hgrkit.research.evaluation.foil_choice import FoilEvaluation
from hgrkit.research.evaluation.rank_file import QueryRank

__all__ = ["Answers", "Outcome"]


@attrs.frozen(kw_only=True, eq=False)
class Answers:
    """What one system answers.

    Attributes:
        ranks: of captions, by question.
        choices: ranks among two, of captions and their foils, by type of foil.
        foils: the same choices, with those of the event level alone.
    """

    ranks: Ranks
    choices: Ranks
    foils: FoilEvaluation

    @classmethod
    def of(
        cls,
        seed: int,
        clips: Clips,
        *,
        flickr8k: list[QueryRank],
        msvd: list[QueryRank],
        fused: np.ndarray,
        event: np.ndarray,
    ) -> Answers:
        """Put ranks of captions beside what the scores of captions and foils, [V, C], say of the foils."""
        return cls(
            ranks=reported(flickr8k, msvd, clips),
            choices=rank_choices(fused, clips, seed),
            foils=choose(fused, event, clips),
        )


@attrs.frozen(kw_only=True, eq=False)
class Outcome:
    """Answers of systems of one variation, one of each seed.

    Attributes:
        ranks: of captions, by question, all seeds' end to end.
        choices: of foils, by type, all seeds' end to end.
        foils: of each seed.
    """

    ranks: Ranks
    choices: Ranks
    foils: tuple[FoilEvaluation, ...]

    @classmethod
    def of(cls, answers: Sequence[Answers]) -> Outcome:
        """Pool the answers of all seeds."""
        return cls(
            ranks=of_all_seeds([one.ranks for one in answers]),
            choices=of_all_seeds([one.choices for one in answers]),
            foils=tuple(one.foils for one in answers),
        )

    def to_dict(self) -> dict[str, Any]:
        """Means over the seeds; of foils the accuracies of each seed too.

        `mean` and `event_only` count every type of foil once, `all choices` every choice.
        """
        found: dict[str, Any] = {
            name: {str(measure): measure.of(np.array([row.rank for row in rows])) for measure in MEASURES}
            for name, rows in self.ranks.items()
        }
        each = {
            "mean": [one.fused.mean for one in self.foils],
            "event_only": [one.event_only.mean for one in self.foils],
        }
        found["foils"] = {name: float(np.mean(values)) for name, values in each.items()}
        choices = np.array([row.rank for row in self.choices[f"{FOILS}, {ALL}"]])
        pooled = [ACCURACY.of(part) for part in np.split(choices, len(self.foils))]
        found["foils of each seed"] = {**each, ALL: pooled}
        return found

    def behind(self, recipe: Outcome) -> dict[str, Any]:
        """How far the recipe is ahead: by question and measure; in accuracy, by type of foil and on all."""
        on_foils = leads(recipe.choices, self.choices, [ACCURACY])
        return {
            "the recipe's lead": leads(recipe.ranks, self.ranks),
            "the recipe's lead on foils": {
                name.removeprefix(f"{FOILS}, "): lead[str(ACCURACY)] for name, lead in on_foils.items()
            },
        }
