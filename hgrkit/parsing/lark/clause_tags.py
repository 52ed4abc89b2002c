"""After the Lark parser's tagger: tags that a clause cannot have, and a verb where it has none."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.lexicon import VERB_TAGS, Lexicon, candidates, in_class, is_animate

__all__ = ["restore_verbs"]

_FINITE_TAGS = frozenset({"BE", "HAVE", "DO", "MD", "VBZ", "VBD", "VB"})
_NOMINAL = frozenset({"NOUN", "NOUNS"})
_DOUBTFUL = frozenset({"NOUN", "MD", "VB", "VBZ"})
_OBJECT_STARTS = frozenset({"DET", "PRON"})
_STARTS = frozenset({"DET", "PRON", "PREP", "ADV", "PRT", "TO"})
_SURE_OBJECTS = frozenset({"DET", "PRON", "NOUNS"})
_ASPECTUAL = ("start", "begin", "began", "begun", "continue", "keep", "kept", "stop")
_WITH_BARE_VERB = frozenset({"help", "make", "let", "watch", "see", "have", "hear", "feel"})
_ARTICLES = frozenset({"a", "an", "the", "his", "its", "their", "my", "your", "our"})


def restore_verbs(words: Sequence[str], readings: Sequence[str], tags: Sequence[str]) -> list[str]:
    """Correct tags: verbs that cannot be nouns, and a finite verb in clauses that have none.

    The word that becomes a verb must follow a noun and stand before what follows verbs, as in "a man in black
    [swings] a sword". Clauses end at full stops, semicolons and conjunctions such as "while".

    >>> restore_verbs("a woman shops online".split(), ["DET", "NOUN", "NOUNS VBZ", "ADV"],
    ...               ["DET", "NOUN", "NOUNS", "ADV"])
    ['DET', 'NOUN', 'VBZ', 'ADV']
    """
    restored = list(tags)
    start = 0
    for position in range(len(tags) + 1):
        if position == len(tags) or tags[position] == "SUB" or words[position] in {".", ";", "!", "?", "END"}:
            _ClauseTags(words, readings, restored, start, position).restore()
            start = position + 1
    return restored


class _ClauseTags:
    """The tags of one clause, tokens `start` to `stop`, which are set right in place."""

    def __init__(
        self, words: Sequence[str], readings: Sequence[str], tags: list[str], start: int, stop: int
    ) -> None:
        self.words, self.readings, self.tags, self.start, self.stop = words, readings, tags, start, stop

    def restore(self) -> None:
        self._nouns_after_articles()
        self._no_verbs()
        self._sure_verbs()
        if not _FINITE_TAGS.isdisjoint(self.tags[self.start : self.stop]):
            self._past_or_participle()
        else:
            self._finite_verb()
        self._coordinated()

    def _after(self, position: int) -> str:
        return self.tags[position + 1] if position + 1 < self.stop else "END"

    def _nouns_after_articles(self) -> None:
        for position in range(self.start + 1, self.stop):
            if self.tags[position] in {"VB", "VBZ"}:
                article = position - 1 if self.tags[position - 1] != "ADJ" else position - 2
                if article >= self.start and self.words[article] in _ARTICLES:
                    self.tags[position] = "NOUN" if self.tags[position] == "VB" else "NOUNS"

    def _no_verbs(self) -> None:
        """Make nouns of verbs that nothing can be the subject of: "the microphone [stand]", "a soda [can]"."""
        for position in range(self.start, self.stop):
            tag, own = self.tags[position], self.readings[position]
            if tag not in _DOUBTFUL:
                continue
            if tag == "NOUN":
                self.tags[position] = "ADJ" if self.words[position] == "visible" else tag
            elif tag == "MD":
                sure = self.words[position] != "can" or self._after(position) not in {"PUNCT", "END", "PREP"}
                self.tags[position] = tag if sure or self._before(position) not in _NOMINAL else "NOUN"
            elif tag == "VB" and own.startswith("ADJ") and self.words[position + 1] == "of":
                self.tags[position] = "ADJ"  # "shelves [full] of vases"
            elif tag == "VBZ" and own.startswith("NOUNS") and self._is_object(position):
                self.tags[position - 1], self.tags[position] = "VBG", "NOUNS"
            elif self._cannot_be_verb(position):
                others = (other for other in candidates(own) if other in {"NOUN", "NOUNS", "ADJ"})
                self.tags[position] = next(others, tag)

    def _is_object(self, position: int) -> bool:
        """Whether a form in -ing before a word acts on it: "a woman feeding [swans]"."""
        before = position - 1
        if before <= self.start or self.tags[before] not in {"NOUN", "ADJ"}:
            return False
        acts = self._before(before) in _NOMINAL | {"CC", "PUNCT"}
        return acts and "VBG" in self.readings[before] and self.words[before].endswith("ing")

    def _before(self, position: int) -> str:
        return self.tags[position - 1] if position > self.start else "START"

    def _cannot_be_verb(self, position: int) -> bool:
        earlier, before = self.tags[self.start : position], self._before(position)
        subject = next((tag for tag in earlier if tag in _NOMINAL), None)
        if self.tags[position] == "VBZ":  # "people in tribal [costumes]", "is pushed, with red [tents]"
            thing = before == "NOUN" and not is_animate(self.words[position - 1])
            if thing and self._after(position) == "END" and self.readings[position].startswith("NOUNS"):
                return True  # "a commercial for new bra [straps]"
            open_phrase = before in {"ADJ", "NOUN"} and earlier[-2:-1] == ["PREP"]
            return open_phrase and (subject == "NOUNS" or bool(_FINITE_TAGS & set(earlier)))
        if self._after(position) in _OBJECT_STARTS or {"TO", "MD", "DO"} & set(earlier):
            return False
        if position == self.start:  # "[crowd] cheering"
            return self.readings[position].startswith("NOUN") and "VBG" in self.readings[position + 1]
        if before == "CC":
            return not (VERB_TAGS | _FINITE_TAGS) & set(earlier)
        singular = subject == "NOUN" and "CC" not in earlier
        thing = before in {"NOUN", "ADJ", "PUNCT"} and not is_animate(self.words[position - 1])
        return singular and thing and not self._takes_bare_verb(position)

    def _takes_bare_verb(self, position: int) -> bool:
        """Whether an earlier verb goes with a bare one: "watches a car [drive] by"."""
        lexicon = Lexicon.load()
        verbs = [at for at in range(self.start, position) if self.tags[at] in VERB_TAGS]
        return any(lexicon.lemma(self.words[at]) in _WITH_BARE_VERB for at in verbs)

    def _sure_verbs(self) -> None:
        """In "[using] a tool", "each [picks] one" and "starts [running]" the word is a verb."""
        for position in range(self.start + 1, self.stop):
            tag, own = self.tags[position], self.readings[position]
            if tag == "NOUNS" and "VBZ" in own and self.words[position - 1] in {"each", "then"}:
                self.tags[position] = "VBZ"
            elif "VBG" in own and tag in {"NOUN", "ADJ"} and self._is_sure_participle(position):
                self.tags[position] = "VBG"

    def _is_sure_participle(self, position: int) -> bool:
        own, previous, before = self.readings[position], self.words[position - 1], self._before(position)
        if previous == "either" or (before in VERB_TAGS and previous.startswith(_ASPECTUAL)):
            return True
        if self.words[position] == "using" and before not in {"DET", "ADJ", "POS"}:
            return True
        if before == "NEG" and self.tags[position - 2] == "BE" and own.startswith("VBG"):
            return True
        after = self._after(position)
        acts = previous == "," or (before in _NOMINAL and own.startswith("VBG"))
        object_follows = after in _SURE_OBJECTS or (after == "REL" and is_animate(previous))
        return (acts and object_follows) or self._is_listed(position)

    def _is_listed(self, position: int) -> bool:
        """Whether a form in -ing stands in a row of them: "a person [cutting], peeling or washing"."""
        further = position + 2
        comma = further < self.stop and self.words[position + 1] in {",", "or", "and"}
        row = is_animate(self.words[position - 1]) or self.tags[position - 2 : position] == ["VBG", "PUNCT"]
        return comma and self.tags[further] == "VBG" and row

    def _past_or_participle(self) -> None:
        """In "a man armed with a gun fires the weapon" the past form is a participle."""
        finite = [position for position in range(self.start, self.stop) if self.tags[position] in _FINITE_TAGS]
        if len(finite) != 1 or self.tags[finite[0]] != "VBD" or "VBN" not in self.readings[finite[0]]:
            return
        # "a blue sedan parked near the entrance": a thing, and no object
        before, after = finite[0] - 1, self._after(finite[0])
        thing = before >= self.start and self.tags[before] in _NOMINAL and not is_animate(self.words[before])
        if thing and after in {"PREP", "ADV", "END"}:
            self.tags[finite[0]] = "VBN"
            return
        for position in range(finite[0] + 1, self.stop):
            sure = self._after(position) in _OBJECT_STARTS or self.readings[position].startswith("VBZ")
            if sure and self._possible_verb(position, plural=False) == "VBZ":
                self.tags[finite[0]], self.tags[position] = "VBN", "VBZ"
                return

    def _coordinated(self) -> None:
        """In "she styles her hair and smiles at him" the last verb is no noun."""
        seen: set[str] = set()
        for position in range(self.start, self.stop):
            seen.add(self.tags[position])
            if self.tags[position] != "CC" or self._after(position) not in _NOMINAL:
                continue
            after, possible = self._after(position + 1), candidates(self.readings[position + 1])
            if "VBG" in seen and "VBG" in possible and after in _STARTS:
                self.tags[position + 1] = "VBG"
            elif "VBZ" in seen and "VBZ" in possible and (after in _OBJECT_STARTS or possible[0] == "VBZ"):
                self.tags[position + 1] = "VBZ"

    def _finite_verb(self) -> None:
        tags, start, stop = self.tags, self.start, self.stop
        if start + 1 < stop and "VB" in self.readings[start].split() and tags[start + 1] in {"DET", "PRT"}:
            tags[start] = "VB"
            return
        # a caption may have a participle in place of a finite verb: "a man riding a horse"
        verbal = {"VBG", "VBN"} & set(tags[start:stop])
        if not verbal and (self._restore_participle() or self._restore_last()):
            return
        inside = tags[start:stop]
        first_noun = next((tag for tag in inside if tag in _NOMINAL), None)
        plural = first_noun == "NOUNS" or (first_noun is not None and "CC" in inside)
        best, verb = -1, ""
        for position in range(start + 1, stop):
            found = self._possible_verb(position, plural=plural)
            if found is None:
                continue
            if self._after(position) in _OBJECT_STARTS:
                best, verb = position, found
                break
            plural_acts = (
                found == "VB" and tags[position - 1] == "NOUNS" and not verbal & set(tags[start:position])
            )
            if best < 0 and (not verbal or plural_acts or self.readings[position].startswith("VB")):
                best, verb = position, found
        if best >= 0:
            tags[best] = verb

    def _restore_last(self) -> bool:
        """In "running" and "a woman, then a man, dancing" the form in -ing that ends the clause is a verb."""
        last = self.stop - 1
        while last > self.start and self.readings[last] == "END":
            last -= 1
        if last < self.start or "VBG" not in self.readings[last]:
            return False
        if last > self.start and self.tags[last - 1] != "PUNCT" and not self._acts_at_last(last):
            return False
        self.tags[last] = "VBG"
        return True

    def _acts_at_last(self, last: int) -> bool:
        """As in "a person in a blue hoodie [running]"."""
        first = next((at for at in range(self.start, last) if self.tags[at] in _NOMINAL), last)
        return self.tags[last - 1] in _NOMINAL and self._after(first) == "PREP" and is_animate(self.words[first])

    def _restore_participle(self) -> bool:
        """In "a woman riding on a horse" the form in -ing is a verb: someone precedes it, or an object follows."""
        tags = self.tags
        for position in range(self.start + 1, self.stop):
            if tags[position] not in {"NOUN", "ADJ"} or "VBG" not in self.readings[position]:
                continue
            after = self._after(position)
            # "bird watching", but "a bird singing"
            one = position - 2 >= self.start and tags[position - 2] in {"DET", "NUM"}
            sure = after not in {"END", "PUNCT"} or (one and self.readings[position].startswith("VBG"))
            acts = is_animate(self.words[position - 1]) and sure
            if acts or (tags[position - 1] in _NOMINAL and after in _OBJECT_STARTS | {"PREP"}):
                tags[position] = "VBG"
                if tags[position - 1] == "ADJ":
                    tags[position - 1] = "NOUN"
                return True
        return False

    def _possible_verb(self, position: int, *, plural: bool) -> str | None:
        """The verb's tag that a noun or adjective may have here, or `None`."""
        tags, own, before = self.tags, self.readings[position], self.tags[position - 1]
        # also the mark or the conjunction that ends the clause
        after = tags[position + 1] if position + 1 < len(tags) else "END"
        of_animate = is_animate(self.words[position - 1])
        last = after in {"END", "PUNCT"} and (own.startswith("VBZ") or of_animate)
        if tags[position] not in {"NOUN", "NOUNS", "ADJ"} or (after not in _STARTS and not last):
            return None
        colour = before == "ADJ" and position > 1 and tags[position - 2] in {"PREP", "VBG"}
        separated = before == "PUNCT" and own.startswith("VBZ")
        follows = before in {"NOUN", "NOUNS", "ADV", "PRON"} or (colour and after in _OBJECT_STARTS) or separated
        if not follows:
            return None
        possible = candidates(own)
        bare = own.startswith("VB ") and of_animate  # "a girl sleep in a bed"
        wanted = ("VB", "VBD", "VBZ") if plural else ("VBZ", "VBD", "VB") if bare else ("VBZ", "VBD")
        dominated = own.endswith("!") and possible[0] in {"NOUN", "NOUNS", "ADJ"}
        # "people in tribal costumes [dance] along the street"
        if (
            dominated
            and plural
            and before == "NOUNS"
            and after == "PREP"
            and in_class(self.words[position], "motion")
        ):
            dominated = False
        if dominated and after not in _OBJECT_STARTS:
            return None
        return next((tag for tag in wanted if tag in possible), None)
