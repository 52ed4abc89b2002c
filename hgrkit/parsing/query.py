"""Queries before any parser reads them: request frames, camera words, brackets and questions are taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import attrs

from hgrkit.graph import Edge, Node, Role, RoleGraph, Span
from hgrkit.parsing.finished_graph import finished
from hgrkit.parsing.lexicon import Lexicon, is_animate
from hgrkit.parsing.roles import RoleTable

__all__ = ["QueryPart", "parse_parts", "read_query"]


@attrs.frozen
class Word:
    """A word that a parser reads, and the tokens of the query that it stands for.

    Attributes:
        text: what is read: the token, or "what" for "which red car".
        start: first token.
        stop: one past the last token.
        head: token of the content word.
    """

    text: str
    start: int
    stop: int
    head: int


@attrs.frozen
class QueryPart:
    """Words of a query that are parsed as one sentence.

    Attributes:
        words: what the parser reads.
        question: "when", "in which room": an adverbial of the first verb, which the parser does not see.
        role: of the question.
    """

    words: tuple[Word, ...]
    question: Word | None = None
    role: Role = ""

    @property
    def text(self) -> str:
        """The words, joined by blanks."""
        return _joined(self.words)


# what stands around the content, as patterns over words joined by single spaces --------------------------------

_DET = r"(?:(?:an?|the|all|any|every|each|some|more|other|another|several|one|two|three|only)(?: of)? )*"
_CAMERA = (
    r"(?:aerial|drone|overhead|pov|panoramic|establishing|tracking|panning|handheld|macro|wide|wide-angle|close up|"
    r"close-up|closeup|extreme|medium|zoomed|zoomed-in|slow|slow-motion|slow motion|slowmo|slo-mo|fast motion|"
    r"time-lapse|timelapse|time lapse|hyperlapse|fisheye|dashcam|gopro|first-person|third-person|first person|"
    r"third person|bird 's eye|birds-eye|top-down|top down|low-angle|high-angle|low angle|high angle|wide angle|"
    r"night vision|black and white|black-and-white|cctv|satellite|helicopter|inside|outside|interior|exterior|"
    r"indoor|outdoor|underwater|over-the-shoulder|split-screen|infrared|thermal|grainy|blurry|shaky|static)"
)
_PLAIN = (
    r"(?:day|night|daytime|nighttime|long|short|low|high|top|side|front|rear|back|full|"
    r"colou?r|red|green|blue|brown|recent|old|good|best|nice|clear|live|raw|similar|different)"
)
_SHOT = (
    r"(?:shots?|scenes?|clips?|videos?|footage|frames?|images?|pictures?|photos?|segments?|moments?|views?|"
    r"recordings?|sequences?|perspectives?|point of view|angles?)"
)
_ALONE = r"(?:close-ups?|closeups?|close ups?|time-lapses?|timelapses?|time lapses?|point of view|pov|slow motion)"
_CAMERA_SHOT = (
    rf"{_DET}(?:(?:{_PLAIN} )*(?:{_CAMERA}(?: (?:and|or|,))? )+(?:{_PLAIN} )*{_SHOT}|(?:(?:{_PLAIN}|{_CAMERA}) )*{_ALONE})"
)
_ANY_SHOT = rf"(?:{_CAMERA_SHOT}|{_DET}(?:{_PLAIN} )*{_SHOT})"
_TAKEN = r"(?:(?:that|which) )?(?:(?:is|are|was|were) )?(?:taken|filmed|shot|recorded|captured|seen)"
_SHOWING = (
    r"(?:showing|depicting|featuring|containing|displaying|capturing|including|having|"
    r"(?:that|which) (?:shows?|depicts?|contains?|features?|has|have|includes?|captures?))"
)
_LINK = rf"(?:of|on|with|{_SHOWING}|(?:{_TAKEN} )?(?:from|through)(?: behind| above| inside| within)?)(?= )"
_FREE_LINK = rf"(?:{_LINK}|(?:{_TAKEN} (?:in|at)|where|when|in which|on which|about|in|at|as|:)(?= ))"
_TIMES = (
    r"(?:every|each|all|all the|any|the)(?: single)? (?:times?|moments?|instances?|occasions?|parts?|point)"
    r"(?: (?:when|that|where|in which|of))?(?= )"
)
_REQUEST = re.compile(
    r"(?:please )?(?:(?:can|could|would) you (?:please )?)?(?:help me )?"
    r"(?:(?:find|show|locate|retrieve|fetch)(?: me| us)?(?: please)?|(?:get|give|bring) (?:me|us)"
    r"|(?:search|look|looking|searching) for|(?:i|we) (?:am|are|'m|'re) (?:looking|searching) for"
    r"|(?:i|we) (?:want|need|would like|'d like) to (?:see|find|watch)"
    rf"|(?:i|we) (?:want|need)(?= {_ANY_SHOT} )|(?:is|are|do you have|do we have)(?: there)?(?= {_ANY_SHOT} {_LINK}))(?= )"
)
_OF_SHOTS = re.compile(
    rf" (?:(?:{_ANY_SHOT}|{_DET}(?!\w+ing )\w+ {_SHOT}) {_FREE_LINK}|{_TIMES}|{_ANY_SHOT}(?= {_TAKEN} by ))"
)
_WHICH_SHOT = re.compile(
    rf"(?:which|what) (?:(?:{_CAMERA}|{_PLAIN}) )*{_SHOT} (?:has|have|had|shows?|contains?|features?|includes?|"
    rf"(?:is|are) (?:of|about))(?= )|(?:in|during) (?:which|what) {_SHOT}(?= )"
)
_SHOTS = re.compile(rf"(?:shots|clips|scenes|videos|footage) {_FREE_LINK}")
_FILMED_BY = re.compile(rf" {_TAKEN} by(?:(?! (?:,|where|while|when|showing|that|from|of) ) [^ ]+)+")
_FIRST_SHOT = re.compile(rf"{_CAMERA_SHOT} {_LINK}|{_DET}views? (?:through|from)(?= )")
_CUT = re.compile(
    r" (?:[,;.] )?(?:and )?(?:then|followed by|next|finally|later|cuts? to|switch(?:es|ing)? to) (?:, )?"
    rf"(?:{_ANY_SHOT} {_LINK}|(?P<same>of)(?= ))| (?:[,;.] )?(?:and )?(?<=[,;.d] ){_CAMERA_SHOT} {_LINK}"
)
_ANGLE = re.compile(
    r" (?:, )?(?:seen|viewed|filmed|shot|taken) from (?:above|below|behind|the (?:side|front|back|air|top|ground))(?= |$)"
    rf"| (?:{_TAKEN} )?from (?:the |an? )?(?:(?:{_CAMERA}|{_PLAIN}|or|and) )+(?:views?|viewpoint|perspective|angle)(?= |$)"
)
_SCOPE = re.compile(
    r" (?:in|from|of) (?:the|this|that|my|our|today 's|yesterday 's)(?: first| last| whole| entire)? "
    r"(?:videos?|shots?|footage|clips?|recordings?|segments?)(?= |$)"
)
_ASKS = re.compile(
    r"(?P<phrase>(?:(?:in|on|at|to|from|for|with|during|under|by) )?(?:what|which|whose|how many|how much)"
    r"(?: (?!(?:is|are|was|were|do|does|did|can|will|has|have) )[^ ]+){0,4}|who|whom|where|when|why|"
    r"how(?: (?:long|often|far|fast|soon))?) (?:is|are|was|were|do|does|did|can|will|has|have)(?= )"
)
_YES_NO = re.compile(r"(?:(?:is|are|was|were) there|does|did|do|(?:is|are|was|were|has|can|will)(?=.* \?$))(?= )")
_STARTS = frozenset(
    "please can could would find show locate retrieve fetch get give bring search look looking searching i we do does "
    "help shots clips scenes videos footage is are was were did will has have which what who whom whose where when why how in on at during to from for "
    "with under by".split()
)
_ANYWHERE = frozenset(
    "( [ ? shot shots view views close-up close-ups closeup closeups close timelapse time-lapse lapse motion pov "
    "perspective point angle seen filmed viewed".split()
)


def read_query(words: Sequence[str]) -> list[QueryPart] | None:
    """Take a query apart into sentences for a parser; `None` if the words are to be read as they stand.

    What asks ("find shots of", "which clip has"), what says how something was filmed ("close-up of", "slow motion
    shot of"), and brackets are left out; a clause in brackets and what another shot shows are parts of their own.
    A question is put as a statement.

    Args:
        words: the lower-cased tokens.

    >>> [part.text for part in read_query("find shots of a dog ( poodle ) jumping".split())]
    ['a dog jumping']
    """
    if words[0] not in _STARTS and _ANYWHERE.isdisjoint(words):
        return None
    everything = [Word(word, at, at + 1, at) for at, word in enumerate(words)]
    content, asked = _without_request(everything)
    content, asides = _without_brackets(content)
    found = [*_shots(content, asked=asked), *asides]
    parts = [_statement(part) for part in found if any(map(_is_word, part))]
    return parts if parts and [part.words for part in parts] != [tuple(everything)] else None


def _is_word(word: Word) -> bool:
    return any(map(str.isalnum, word.text))


def _joined(words: Sequence[Word]) -> str:
    return " ".join([word.text for word in words])


def _index(text: str, character: int) -> int:
    """Index of the word that begins at a character or after it; of a match that begins with a blank, the next."""
    return text.count(" ", 0, character) + (character == len(text) or text[character] == " ")


def _cut_out(words: Sequence[Word], match: re.Match[str] | None) -> list[Word]:
    if match is None:
        return list(words)
    return [*words[: _index(match.string, match.start())], *words[_index(match.string, match.end()) :]]


def _without_request(words: list[Word]) -> tuple[list[Word], bool]:
    """The words without what asks for them, and whether anything did."""
    text = _joined(words)
    which = _WHICH_SHOT.match(text) or _SHOTS.match(text)
    if which is not None:
        return _cut_out(words, which), True
    request = _REQUEST.match(text)
    if request is None:
        return words, False
    shots = _OF_SHOTS.match(text, request.end())
    end = request.end() if shots is None else shots.end()
    rest = words[_index(text, end) :]
    if shots is not None:
        text = " " + _joined(rest)
        filmed = _FILMED_BY.match(text)
        if filmed is not None:
            whole = filmed.end() == len(text)
            rest = rest[text[1:].split(" ").index("by") + 1 if whole else text.count(" ", 0, filmed.end()) :]
    while rest and rest[0].text in {",", ":", "where", "that"}:
        rest = rest[1:]
    return rest, True


# brackets ------------------------------------------------------------------------------------------------------

_CLOSING = {"(": ")", "[": "]"}
_FINITE = frozenset({"BE", "HAVE", "DO", "MD"})


def _likely_tag(word: str) -> str:
    return Lexicon.load().reading(word).partition(" ")[0].removesuffix("!")


def _without_brackets(words: list[Word]) -> tuple[list[Word], list[list[Word]]]:
    """The words outside brackets with the verbs that brackets add to them, and clauses in brackets."""
    kept: list[Word] = []
    clauses: list[list[Word]] = []
    at = 0
    while at < len(words):
        closing = _CLOSING.get(words[at].text)
        stop = next((end for end in range(at + 1, len(words)) if words[end].text == closing), None)
        if stop is None:
            kept.append(words[at])
            at += 1
            continue
        inside = words[at + 1 : stop]
        tags = {_likely_tag(word.text) for word in inside}
        if tags & _FINITE:
            clauses.append(inside)
        elif "VBG" in tags and _likely_tag(inside[0].text) in {"CC", "NEG", "VBG"}:
            pause = [] if _likely_tag(inside[0].text) == "CC" else [attrs.evolve(words[at], text=",")]
            kept += [*pause, *inside]
        at = stop + 1
    return kept, clauses


# shots one after the other -------------------------------------------------------------------------------------


def _shots(words: list[Word], *, asked: bool) -> list[list[Word]]:
    """What each shot shows, without the words that say how it was filmed."""
    parts: list[list[Word]] = [[]]
    start, text = 0, _joined(words)
    for cut in _CUT.finditer(text):
        parts[-1] += words[start : _index(text, cut.start())]
        start = _index(text, cut.end())
        # "close-up of hands playing, then of hands writing": the view is the same, and "then" says when
        parts.append([words[start - 2]] if cut["same"] else [])
    parts[-1] += words[start:]
    return [_without_camera(part, asked=asked) for part in parts]


def _without_camera(words: list[Word], *, asked: bool) -> list[Word]:
    words = _cut_out(words, _FIRST_SHOT.match(_joined(words)))
    words = _cut_out(words, _ANGLE.search(_joined(words)))
    return _cut_out(words, _SCOPE.search(_joined(words))) if asked or (words and words[-1].text == "?") else words


# questions -----------------------------------------------------------------------------------------------------

_NOUNS = frozenset({"NOUN", "NOUNS", "PRON"})
_OPENING = frozenset({"DET", "PRON", "NUM", "NOUN", "NOUNS", "ADJ", "REL"})
_PREPOSITIONS = frozenset("in on at to from for with during under by".split())
_WHEN = frozenset({"when", "long", "often", "time", "day", "year", "hour", "date", "month"})
_PROPERTIES = frozenset("color colour size shape brand make model name number kind type text time temperature".split())
_VERB_FORMS = {"be": {"VBG", "VBN", "VBD"}, "have": {"VBN", "VBD"}, "do": {"VB"}, "modal": {"VB"}}
_AUXILIARIES = {word: "be" for word in ("is", "are", "was", "were")} | {word: "do" for word in ("do", "does", "did")}
_AUXILIARIES |= {"has": "have", "have": "have", "can": "modal", "will": "modal"}


def _statement(words: list[Word]) -> QueryPart:
    """A question as a statement: "what did I put in the bowl" as "what I put in the bowl"."""
    text = _joined(words)
    asks = _ASKS.match(text)
    pause = text.find(" , ")
    if asks is None and pause > 0 and _ASKS.match(text, pause + 3):  # "according to the sign, what is the limit?"
        before, _, after = text.partition(" , ")
        count = before.count(" ") + 2
        part = _statement(words[count:])
        return attrs.evolve(part, words=(*words[:count], *part.words))
    if asks is None:
        return QueryPart(tuple(_yes_or_no(words) if _YES_NO.match(text) else words))
    after = text.count(" ", 0, asks.end())
    phrase, auxiliary, rest = words[:after], words[after], words[after + 1 :]
    asked = _one_word(phrase)
    adverbial = _is_adverbial(phrase)
    inverted = bool(rest) and _likely_tag(rest[0].text) in _OPENING
    kind = _AUXILIARIES[auxiliary.text]
    if phrase[0].text == "how" and len(phrase) == 1 and not inverted:
        return QueryPart(tuple(words))
    verb = _main_verb(rest, kind, bare=len(phrase) == 1) if inverted and phrase[-1].text not in _PROPERTIES else None
    if not inverted:  # "how many people are sitting"
        return QueryPart((asked, auxiliary, *rest))
    if verb is None and kind == "be":  # "what color is the shirt of the man"
        ending = [word for word in rest if not _is_word(word)]
        said = [word for word in rest if _is_word(word)]
        if adverbial:
            return QueryPart((*said, auxiliary, *ending), question=_whole(phrase), role="ARG2")
        return QueryPart((*said, auxiliary, asked, *ending))
    helper = [auxiliary] if kind in {"be", "have", "modal"} else []
    at = 0 if verb is None else verb
    statement = (*rest[:at], *helper, *rest[at:])
    if adverbial:
        return QueryPart(statement, question=_whole(phrase), role=_adverbial_role(phrase))
    return QueryPart((attrs.evolve(asked, text="what"), *statement))


def _yes_or_no(words: list[Word]) -> list[Word]:
    if words[1].text == "there":
        return [words[1], words[0], *words[2:]]
    kind = _AUXILIARIES[words[0].text]
    if kind == "do":
        return words[1:]
    verb = _main_verb(words[1:], kind)
    return words if verb is None else [*words[1 : verb + 1], words[0], *words[verb + 1 :]]


def _is_adverbial(phrase: Sequence[Word]) -> bool:
    first, counts = phrase[0].text, {"many", "much"} & {word.text for word in phrase[1:2]}
    return first in {"where", "when", "why"} or (first == "how" and not counts) or first in _PREPOSITIONS


def _whole(phrase: Sequence[Word]) -> Word:
    return Word(_joined(phrase), phrase[0].start, phrase[-1].stop, phrase[-1].head)


def _one_word(phrase: Sequence[Word]) -> Word:
    """ "Which red car" as the one word "something"."""
    person = phrase[0].text in {"who", "whom"} or is_animate(phrase[-1].text)
    return attrs.evolve(_whole(phrase), text="someone" if person else "something")


def _main_verb(words: Sequence[Word], kind: str, *, bare: bool = True) -> int | None:
    """Index of the verb of "(is) the man holding", behind its subject; of "(is) the man in the car holding" if bare."""
    for at in range(1, len(words)):
        tag = _likely_tag(words[at].text)
        possible = set(Lexicon.load().reading(words[at].text).removesuffix("!").split())
        before = _likely_tag(words[at - 1].text)
        if possible & _VERB_FORMS[kind] and before in _NOUNS and (tag not in _NOUNS or kind in {"do", "modal"}):
            return at
        if tag not in _OPENING and tag != "POS" and (tag != "PREP" or not bare):
            return None
    return None


def _adverbial_role(phrase: Sequence[Word]) -> Role:
    texts = {word.text for word in phrase}
    if texts & _WHEN:
        return "ARGM-TMP"
    return "ARGM-PRP" if "why" in texts else "ARGM-MNR" if "how" in texts else "ARGM-LOC"


# the graph of the whole query -----------------------------------------------------------------------------------


def parse_parts(
    parse: Callable[[list[list[str]]], Sequence[RoleGraph]], sentences: Sequence[Sequence[str]]
) -> list[RoleGraph]:
    """Parse sentences, each as the parts that `read_query` makes of it, into one graph over its own tokens.

    Args:
        parse: a parser of lists of tokens, called once.
        sentences: the tokens.
    """
    read = [read_query([token.lower() for token in tokens]) for tokens in sentences]
    texts: list[list[str]] = []
    for tokens, parts in zip(sentences, read, strict=True):
        texts += [list(tokens)] if parts is None else [[word.text for word in part.words] for part in parts]
    graphs = iter(parse(texts))
    answers = []
    for tokens, parts in zip(sentences, read, strict=True):
        whole = next(graphs) if parts is None else _together(tokens, parts, [next(graphs) for _ in parts])
        answers.append(finished(whole))
    return answers


def _together(tokens: Sequence[str], parts: Sequence[QueryPart], graphs: Sequence[RoleGraph]) -> RoleGraph:
    """The graphs of a query's parts as one; phrases without a verb count only if there is no verb at all."""
    verbal = any(graph.actions for graph in graphs)
    nodes: list[Node] = []
    edges: list[Edge] = []
    for part, graph in zip(parts, graphs, strict=True):
        if verbal and not graph.actions:
            continue
        first = len(nodes)
        ids = {node.id: first + number for number, node in enumerate(graph.nodes, 1)}
        nodes += [attrs.evolve(_placed(node, part.words), id=ids[node.id]) for node in graph.nodes]
        edges += [Edge(ids[edge.action], ids[edge.entity], edge.role) for edge in graph.edges]
        if part.question is not None and graph.actions:
            asked = part.question
            verb = _asked_verb(graph)
            role = _asked_role(part, graph, verb)
            nodes.append(Node(len(nodes) + 1, role, Span(asked.start, asked.stop), asked.head))
            edges.append(Edge(ids[verb.id], len(nodes), role))
    return RoleGraph(tokens=tokens, nodes=nodes, edges=edges)


def _placed(node: Node, words: Sequence[Word]) -> Node:
    inside = words[node.span.start : node.span.stop]
    head = None if node.head is None else words[node.head].head
    return attrs.evolve(node, span=Span(min(w.start for w in inside), max(w.stop for w in inside)), head=head)


def _asked_role(part: QueryPart, graph: RoleGraph, verb: Node) -> Role:
    """The question's role; "where did I put it" asks for the goal that the verb numbers."""
    if part.role != "ARGM-LOC" or part.question is None or part.question.text != "where":
        return part.role
    found = RoleTable.load().role(Lexicon.load().lemma(graph.tokens[verb.span.start]), "on")
    return "ARG2" if found == "ARG2" else part.role


def _asked_verb(graph: RoleGraph) -> Node:
    """The verb that no phrase of the graph contains."""
    inside = {token for node in graph.entities for token in range(node.span.start, node.span.stop)}
    return next((node for node in graph.actions if node.span.start not in inside), graph.actions[0])
