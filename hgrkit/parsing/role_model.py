"""Part of the PropBank labeller: a log-linear model of roles, learned from PropBank EWT."""

from __future__ import annotations

import functools
import gzip
from collections.abc import Iterable, Mapping
from importlib import resources

import attrs

from hgrkit.graph import Role

__all__ = ["NO_ROLE", "RoleModel"]

NO_ROLE: Role = "-"
"""What the model answers where a phrase has no role, such as the subject of a light verb."""


@attrs.frozen
class RoleModel:
    """Scores roles: a role's score is the sum of the weights that a phrase's features have for it.

    Attributes:
        weights: feature to the weights of roles; the feature `` is in every phrase.
    """

    weights: Mapping[str, Mapping[Role, float]] = attrs.field(repr=False)

    @classmethod
    @functools.cache
    def load(cls) -> RoleModel:
        """The model that hgrkit carries, read once."""
        packed = resources.files("hgrkit.parsing").joinpath("role_model.txt.gz").read_bytes()
        weights = {}
        for line in gzip.decompress(packed).decode("utf-8").splitlines():
            feature, *pairs = line.split("\t")
            weights[feature] = {pairs[at]: int(pairs[at + 1]) / 10 for at in range(0, len(pairs), 2)}
        return cls(weights)

    def ranked(self, features: Iterable[str]) -> list[tuple[float, Role]]:
        """Every role with its score, the best first."""
        scores = dict(self.weights[""])
        for feature in features:
            for role, weight in self.weights.get(feature, {}).items():
                scores[role] += weight
        return sorted(((score, role) for role, score in scores.items()), key=lambda pair: (-pair[0], pair[1]))
