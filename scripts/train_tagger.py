"""Train `hgrkit/parsing/tagger.txt.gz`: an averaged perceptron over PropBank EWT and generated sentences.

The table is under CC BY-SA 4.0; see `hgrkit/parsing/NOTICE`.

    python scripts/train_tagger.py propbank_ewt_train.jsonl.gz propbank_ewt_dev.jsonl.gz
"""

from __future__ import annotations

import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

from caption_templates import Sentence, Templates
from propbank_ewt import read_sentences, tagged, write_table

from hgrkit.parsing.lark.tagger import context_features, finite_ahead, next_state
from hgrkit.parsing.lexicon import Lexicon, candidates

EPOCHS, TEMPLATE_SENTENCES, SCALE, SMALLEST, SEED = 5, 14000, 20, 18, 7


class Perceptron:
    """Weights that are averaged over all the decisions."""

    def __init__(self) -> None:
        self.weights: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.step = 0

    def learn(self, possible: tuple[str, ...], gold: str, features: list[str]) -> None:
        """One decision."""
        self.step += 1
        guess = self._guess(possible, features)
        if guess == gold:
            return
        for feature in features:
            for tag, change in ((gold, 1.0), (guess, -1.0)):
                self.weights[feature][tag] += change
                self.totals[feature][tag] += change * self.step

    def _guess(self, possible: tuple[str, ...], features: list[str]) -> str:
        scores = dict.fromkeys(possible, 0.0)
        for feature in features:
            known = self.weights.get(feature)
            if known:
                for tag in possible:
                    scores[tag] += known.get(tag, 0.0)
        return max(possible, key=scores.__getitem__)

    def averaged(self) -> dict[str, dict[str, int]]:
        """Averaged weights, scaled to whole numbers; small ones are left out."""
        result: dict[str, dict[str, int]] = {}
        for feature in sorted(self.weights):
            kept = {}
            for tag, weight in sorted(self.weights[feature].items()):
                value = round(SCALE * (weight - self.totals[feature][tag] / self.step))
                if abs(value) >= SMALLEST:
                    kept[tag] = value
            if kept:
                result[feature] = kept
        return result


def train(sentences: list[Sentence], lexicon: Lexicon) -> dict[str, dict[str, int]]:
    """The weights after `EPOCHS` rounds over the sentences, each round in another order."""
    perceptron, rng = Perceptron(), random.Random(SEED)
    for _ in range(EPOCHS):
        rng.shuffle(sentences)
        for sentence in sentences:
            for possible, gold, features in _decisions(sentence, lexicon):
                perceptron.learn(possible, gold, features)
    return perceptron.averaged()


def _decisions(sentence: Sentence, lexicon: Lexicon) -> list[tuple[tuple[str, ...], str, list[str]]]:
    words = [word for word, _ in sentence]
    gold = [tag for _, tag in sentence]
    readings = [lexicon.reading(word) for word in words]
    while readings and readings[-1] == "PUNCT":
        words.pop(), gold.pop(), readings.pop()
    words += ["END"] * 3
    readings += ["END"] * 3
    ahead, tags, state, found = finite_ahead(readings), ["START", "START"], "0", []
    for position, tag in enumerate(gold):
        possible = candidates(readings[position])
        if len(possible) > 1 and tag in possible:
            found.append(
                (possible, tag, context_features(words, readings, tags, position, state, ahead=ahead[position]))
            )
        tags.append(tag)
        state = next_state(state, tag)
    return found


def main() -> None:
    """Write the weights and say how often the tagger is right on the second file."""
    lexicon = Lexicon.load()
    templates = Templates(lexicon, SEED)
    sentences = [tagged(record) for record in read_sentences(Path(sys.argv[1]))]
    seen = Counter(word for sentence in sentences for word, _ in sentence)
    sentences += [templates.sentence() for _ in range(TEMPLATE_SENTENCES)]
    weights = train(sentences, lexicon)
    weights = {feature: tags for feature, tags in weights.items() if feature[0] != "w" or seen[feature[1:]] > 2}
    lines = [
        "\t".join([feature, *(f"{tag}\t{value}" for tag, value in tags.items())])
        for feature, tags in weights.items()
    ]
    write_table("tagger.txt.gz", lines)
    from hgrkit.parsing.lark.tagger import Tagger

    tagger = Tagger.load()
    right: Counter[bool] = Counter()
    verbs: Counter[str] = Counter()
    for record in read_sentences(Path(sys.argv[2])):
        sentence = tagged(record)
        for (_, gold), guess in zip(sentence, tagger.tag([word for word, _ in sentence]), strict=True):
            right[gold == guess] += 1
            verbs["gold"] += gold.startswith("VB")
            verbs["guess"] += guess.startswith("VB")
            verbs["both"] += gold.startswith("VB") and guess.startswith("VB")
    f1 = 200 * verbs["both"] / (verbs["gold"] + verbs["guess"])
    accuracy = 100 * right[True] / right.total()
    sys.stdout.write(
        f"{len(weights)} features; on the second file {accuracy:.2f}% of tags, F1 {f1:.2f} of verbs\n"
    )


if __name__ == "__main__":
    main()
