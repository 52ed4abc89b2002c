"""Fit `hgrkit/parsing/role_model.txt.gz`: which role plain PropBank gives to a phrase of a dependency tree.

A log-linear model over the features of `hgrkit.parsing.propbank_roles`, fitted on the gold trees and roles of
PropBank EWT (CC BY-SA 4.0; see `hgrkit/parsing/NOTICE`). A line is
`feature<TAB>role<TAB>weight...`, weights in tenths.

    python scripts/train_role_model.py ../shared/data/srl/propbank_ewt_train.jsonl.gz
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from propbank_ewt import read_sentences, write_table
from torch import Tensor, nn

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.propbank_roles import NO_ROLE, role_features, role_phrases
from hgrkit.parsing.tree_labeller import ClauseReader

FIXED = {"modal", "negation", "particle"}
RARE_FEATURE, RARE_ROLE = 2, 30
EPOCHS, BATCH, LEARNING_RATE, DECAY = 12, 1024, 0.04, 1e-5

Example = tuple[list[str], str]


def main() -> None:
    """Fit and write; the same input gives the same bytes on the same machine."""
    torch.manual_seed(0)
    examples = [example for record in read_sentences(Path(sys.argv[1])) for example in examples_of(record)]
    known = Counter(role for _, role in examples)
    examples = [(f, role if known[role] >= RARE_ROLE else NO_ROLE) for f, role in examples]
    seen = Counter(feature for features, _ in examples for feature in features)
    features = ["", *sorted(feature for feature, count in seen.items() if count >= RARE_FEATURE)]
    roles = sorted({role for _, role in examples})
    weights = fit(examples, {feature: at for at, feature in enumerate(features)}, roles)
    lines = list(rows(features, roles, weights))
    num_bytes = write_table("role_model.txt.gz", lines)
    sys.stdout.write(f"{len(examples)} phrases, {len(lines)} features, {num_bytes} bytes\n")


def examples_of(record: dict[str, Any]) -> Iterator[Example]:
    """The phrases of a sentence's clauses with the roles that the gold gives to their heads."""
    tree = DependencyTree.from_dict(record["tree"])
    words = [token.lower() for token in record["tokens"]]
    heads = {node["id"]: node["head"] for node in record["nodes"]}
    gold = {(heads[action], heads[entity]): role for action, entity, role in record["edges"]}
    verbs = {node["head"] for node in record["nodes"] if node["role"] == "V"}
    for clause in ClauseReader(words, tree).clauses():
        if clause.head not in verbs:
            continue
        for phrase in role_phrases(clause):
            if phrase is clause.subject or phrase.relation not in FIXED:
                role = gold.get((clause.head, phrase.content), NO_ROLE)
                yield role_features(words, tree, clause, phrase), role


def fit(examples: Sequence[Example], columns: dict[str, int], roles: Sequence[str]) -> Tensor:
    """Weights [features, roles] of the log-linear model, by Adam."""
    packed = [torch.tensor([0, *(columns[f] for f in features if f in columns)]) for features, _ in examples]
    wanted = torch.tensor([roles.index(role) for _, role in examples])
    model = nn.EmbeddingBag(len(columns), len(roles), mode="sum")
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for epoch in range(EPOCHS):
        total = 0.0
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - epoch / EPOCHS)
        for rows_ in torch.randperm(len(packed)).split(BATCH):
            bags = [packed[at] for at in rows_.tolist()]
            starts = torch.tensor([0, *(len(bag) for bag in bags[:-1])]).cumsum(0)
            loss = nn.functional.cross_entropy(model(torch.cat(bags), starts), wanted[rows_])
            loss = loss + DECAY * model.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(bags)
        sys.stdout.write(f"epoch {epoch + 1}: loss {total / len(packed):.4f}\n")
    return model.weight.detach()


def rows(features: Sequence[str], roles: Sequence[str], weights: Tensor) -> Iterator[str]:
    """The lines of the table: what rounds to nothing is left out."""
    for feature, row in zip(features, (weights * 10).round().int().tolist(), strict=True):
        pairs = [f"{role}\t{weight}" for role, weight in zip(roles, row, strict=True) if weight or not feature]
        if pairs:
            yield "\t".join([feature, *pairs])


if __name__ == "__main__":
    main()
