"""Build `hgrkit/parsing/roles.txt.gz`: how often a verb's subject, object, preposition ... has which role.

Counted over the gold trees and roles of PropBank EWT (CC BY-SA 4.0; see `hgrkit/parsing/NOTICE`). A line is
`verb<TAB>function<TAB>role<TAB>count...`; verb `*` stands for all, and there `preposition/noun` is a function too.

    python scripts/build_role_table.py ../shared/data/srl/propbank_ewt_train.jsonl.gz
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from propbank_ewt import read_sentences, write_table

BY_RELATION = {
    "nsubj:pass": ("passive subject",),
    "csubj:pass": ("passive subject",),
    "obj": ("object",),
    "iobj": ("recipient",),
    "advmod": ("adverb", "adverb/@"),
    "xcomp": ("complement",),
    "ccomp": ("complement",),
}
RENAMED = {"ARGM-EXT": "ARGM-MNR", "ARGM-DIS": "ARGM-ADV", "ARGM-CAU": "ARGM-PRP", "ARGM-GOL": "ARG2"}
KNOWN = {"ARG0", "ARG1", "ARG2", "ARG3", "ARG4"} | {
    "ARGM-" + kind for kind in ("LOC", "MNR", "TMP", "DIR", "ADV", "PRP", "PRD", "COM")
}


def main() -> None:
    """Count and write; the same input gives the same bytes."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record in read_sentences(Path(sys.argv[1])):
        count_sentence(record, counts)
    lines = []
    for (verb, function), roles in sorted(counts.items()):
        kept = [(role, count) for role, count in sorted(roles.items()) if verb != "*" or count > 1]
        if kept:
            lines.append("\t".join([verb, function, *(f"{role}\t{count}" for role, count in kept)]))
    num_bytes = write_table("roles.txt.gz", lines)
    sys.stdout.write(f"{len(lines)} lines, {num_bytes} bytes\n")


def count_sentence(record: dict[str, Any], counts: dict[tuple[str, str], Counter[str]]) -> None:
    """Add one sentence's pairs of function and role."""
    tree, nodes = record["tree"], {node["id"]: node for node in record["nodes"]}
    for action, entity, propbank_role in record["edges"]:
        role = RENAMED.get(propbank_role, propbank_role)
        verb, head = nodes[action]["head"], nodes[entity]["head"]
        if role not in KNOWN or tree["head"][head] != verb or tree["lemma"][verb] == "be":
            continue
        lemma = tree["lemma"][verb].lower()
        for function in functions(tree, verb, head):
            if "/" not in function:
                counts[lemma, function][role] += 1
            counts["*", function][role] += 1


def functions(tree: dict[str, Any], verb: int, head: int) -> list[str]:
    """The names of what a token is to a verb, as `hgrkit.parsing.roles` names them."""
    deprel = tree["deprel"][head]
    lemma = tree["lemma"][head].lower()
    if deprel in {"nsubj", "csubj"}:
        children = (token for token, parent in enumerate(tree["head"]) if parent == verb)
        return ["subject+object" if any(tree["deprel"][child] == "obj" for child in children) else "subject"]
    if deprel == "advcl":
        mark = _children_of(tree, head, "mark")
        return ["purpose"] if mark[:1] == ["to"] else ["adjunct/" + "".join(mark[:1])]
    if deprel == "obl":
        case = _children_of(tree, head, "case")
        passive = "Voice=Pass" in tree["feats"][verb]
        word = "passive by" if case[-1:] == ["by"] and passive else "".join(case[-1:])
        return [word, f"{word}/{lemma}"] if word else []
    return [name.replace("@", lemma) for name in BY_RELATION.get(deprel, ())]


def _children_of(tree: dict[str, Any], head: int, deprel: str) -> list[str]:
    tokens = (
        token for token, parent in enumerate(tree["head"]) if parent == head and tree["deprel"][token] == deprel
    )
    return [tree["lemma"][token].lower() for token in tokens]


if __name__ == "__main__":
    main()
