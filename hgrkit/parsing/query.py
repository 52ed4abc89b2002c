"""Queries before any parser reads them: request frames, camera words, brackets and questions are taken apart."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

import attrs

from hgrkit.graph import RoleGraph, Span
from hgrkit.parsing.finished_graph import finished
from hgrkit.parsing.lexicon import AUXILIARY_TAGS
from hgrkit.parsing.query_part import QueryPart, Word, is_word, joined, together
from hgrkit.parsing.question import likely_tag, statement
from hgrkit.parsing.tokenize import MINUS

__all__ = ["content_of", "parse_parts", "read_query"]

# what stands around the content, as patterns over words joined by single spaces --------------------------------

_DET = r"(?:(?:an?|the|all|any|every|each|some|more|other|another|several|one|two|three|only)(?: of)? ){0,4}"
_CAMERA = (
    r"(?:aerial|drone|overhead|pov|panoramic|establishing|tracking|panning|handheld|macro|wide|wide-angle|"
    r"close up|close-up|closeup|extreme|medium|zoomed|zoomed-in|slow|slow-motion|slow motion|slowmo|slo-mo|"
    r"fast motion|time-lapse|timelapse|time lapse|hyperlapse|"
    r"fisheye|dashcam|gopro|first-person|third-person|first person|"
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
_CAMERAS = rf"(?:{_PLAIN} ){{0,3}}(?:{_CAMERA}(?: (?:and|or|,))? ){{1,4}}(?:{_PLAIN} ){{0,3}}{_SHOT}"
_CAMERA_SHOT = rf"{_DET}(?:{_CAMERAS}|(?:(?:{_PLAIN}|{_CAMERA}) ){{0,4}}{_ALONE})"
_ANY_SHOT = rf"(?:{_CAMERA_SHOT}|{_DET}(?:{_PLAIN} ){{0,3}}{_SHOT})"
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
_REQUEST = (
    r"(?:please )?(?:(?:can|could|would) you (?:please )?)?(?:help me )?"
    r"(?:(?:find|show|locate|retrieve|fetch)(?: me| us)?(?: please)?|(?:get|give|bring) (?:me|us)"
    r"|(?:search|look|looking|searching) for|(?:i|we) (?:am|are|'m|'re) (?:looking|searching) for"
    r"|(?:i|we) (?:want|need|would like|'d like) to (?:see|find|watch)"
    rf"|(?:i|we) (?:want|need)(?= {_ANY_SHOT} )"
    rf"|(?:is|are|do you have|do we have)(?: there)?(?= {_ANY_SHOT} {_LINK}))(?= )"
)
_NOT_WANTED = (
    r"(?:please )?(?:do (?:n't|n\u2019t|not) (?:show|give|find)(?: me| us)?"
    r"|(?:i|we) do (?:n't|n\u2019t|not) (?:want|need|like)(?: to (?:see|find|watch))?"
    r"|(?:exclude|avoid|omit|leave out))(?= )"
)
_OF_SHOTS = (
    rf" (?:(?:{_ANY_SHOT}|{_DET}(?!\w+ing )\w+ {_SHOT}) {_FREE_LINK}|{_TIMES}|{_ANY_SHOT}(?= {_TAKEN} by ))"
)
_WHICH_SHOT = (
    rf"(?:which|what) (?:(?:{_CAMERA}|{_PLAIN}) )*{_SHOT} (?:has|have|had|shows?|contains?|features?|includes?|"
    rf"(?:is|are) (?:of|about))(?= )|(?:in|during) (?:which|what) {_SHOT}(?= )"
)
_SHOTS = rf"(?:shots|clips|scenes|videos|footage) {_FREE_LINK}"
_FILMED_BY = rf" {_TAKEN} by(?:(?! (?:,|where|while|when|showing|that|from|of) ) [^ ]+)+"
_FIRST_SHOT = rf"{_CAMERA_SHOT} {_LINK}|{_DET}views? (?:through|from)(?= )"
_CUT = (
    r" (?:[,;.] )?(?:and )?(?:then|followed by|next|finally|later|cuts? to|switch(?:es|ing)? to) (?:, )?"
    rf"(?:{_ANY_SHOT} {_LINK}|(?P<same>of)(?= ))| (?:[,;.] )?(?:and )?(?<=[,;.d] ){_CAMERA_SHOT} {_LINK}"
)
_ANGLE = (
    r" (?:, )?(?:seen|viewed|filmed|shot|taken) from (?:above|below|behind|the (?:side|front|back|air|top|ground))"
    rf"(?= |$)| (?:{_TAKEN} )?from (?:the |an? )?(?:(?:{_CAMERA}|{_PLAIN}|or|and) ){{1,6}}"
    r"(?:views?|viewpoint|perspective|angle)(?= |$)"
)
_SCOPE = (
    r" (?:in|from|of) (?:the|this|that|my|our|today 's|yesterday 's)(?: first| last| whole| entire)? "
    r"(?:videos?|shots?|footage|clips?|recordings?|segments?)(?= |$)"
)
_STARTS = frozenset(
    "please can could would find show locate retrieve fetch get give bring search look looking searching i we "
    "do does help exclude avoid omit leave shots clips scenes videos footage is are was were did will has have "
    "which what who whom whose where when why how in on at during to from for with under by".split()
)
_ANYWHERE = frozenset(
    "( [ ? shot shots view views close-up close-ups closeup closeups close timelapse time-lapse lapse motion pov "
    "perspective point angle seen filmed viewed footage video videos clip clips scene scenes".split()
) | {MINUS}


_compiled = functools.cache(re.compile)  # on first use: captions need none


def read_query(words: Sequence[str]) -> list[QueryPart] | None:
    """Take a query apart into sentences for a parser; `None` if the words are to be read as they stand.

    What asks ("find shots of", "which clip has"), what says how something was filmed ("close-up of", "slow motion
    shot of"), and brackets are left out; a clause in brackets and what another shot shows are parts of their own.
    A question is put as a statement. What "don't show me" refuses or a minus sign excludes is a part, too.

    Args:
        words: the lower-cased tokens.

    >>> [part.text for part in read_query("find shots of a dog ( poodle ) jumping".split())]
    ['a dog jumping']
    """
    if words[0] not in _STARTS and _ANYWHERE.isdisjoint(words):
        return None
    everything = [Word(word, at, at + 1, at) for at, word in enumerate(words)]
    excluded, rest = _minus_words(everything)
    refused, wanted = _refused(rest)
    content, asked = _without_request(wanted)
    content, asides = _without_brackets(content)
    found = [*_shots(content, asked=asked), *asides]
    parts = [QueryPart(refused, refused=True)] if refused else []
    parts += [statement(part) for part in found if any(map(is_word, part))]
    parts += [QueryPart(part, refused=True) for part in excluded]
    return parts if parts and [part.words for part in parts] != [tuple(everything)] else None


def content_of(graph: RoleGraph) -> RoleGraph:
    """A query's graph without the words that ask or say how something was filmed; nodes keep their ids.

    >>> content_of(RoleGraph(tokens="find shots of a dog".split())).text
    'a dog'
    """
    parts = read_query([token.lower() for token in graph.tokens])
    if parts is None:
        return graph
    words = [word for part in parts for word in (*part.words, *([part.question] if part.question else ()))]
    content = {token for word in words for token in range(word.start, word.stop)}
    return graph.cut_to(sorted(content | {token for node in graph.nodes for token in _tokens(node.span)}))


def _tokens(span: Span) -> range:
    return range(span.start, span.stop)


def _index(text: str, character: int) -> int:
    """Index of the word that begins at a character or after it; of a match that begins with a blank, the next."""
    return text.count(" ", 0, character) + (character == len(text) or text[character] == " ")


def _cut_out(words: Sequence[Word], match: re.Match[str] | None) -> list[Word]:
    if match is None:
        return list(words)
    return [*words[: _index(match.string, match.start())], *words[_index(match.string, match.end()) :]]


def _minus_words(words: list[Word]) -> tuple[list[list[Word]], list[Word]]:
    """What minus signs exclude, a word or what is quoted behind each, and the rest: "football -soccer"."""
    excluded: list[list[Word]] = []
    rest: list[Word] = []
    pause: list[Word] = []
    at = 0
    while at < len(words):
        if words[at].text != MINUS or at + 1 == len(words):
            rest += [*pause, words[at]] if rest else [words[at]]
            pause = []
            at += 1
            continue
        quotes = [place for place in range(at + 1, len(words)) if words[place].text == '"']
        quoted = quotes[:1] == [at + 1] and len(quotes) > 1
        start = at + 1 + (quotes[:1] == [at + 1])
        stop = quotes[1] if quoted else start + 1
        if any(map(is_word, words[start:stop])):
            excluded.append(words[start:stop])
        pause = [attrs.evolve(words[at], text=",")]
        at = stop + quoted
    return excluded, rest


def _refused(words: list[Word]) -> tuple[list[Word], list[Word]]:
    """What a query says not to show, up to a pause, and the rest: "don't show me dogs, show cats"."""
    refusal = _compiled(_NOT_WANTED).match(joined(words))
    if refusal is None:
        return [], words
    rest, _ = _without_shots(words[_index(refusal.string, refusal.end()) :])
    pause = next((at for at, word in enumerate(rest) if word.text in {",", ";", "but", "."}), len(rest))
    return rest[:pause], rest[pause + 1 :]


def _without_request(words: list[Word]) -> tuple[list[Word], bool]:
    """The words without what asks for them, and whether anything did."""
    text = joined(words)
    which = _compiled(_WHICH_SHOT).match(text) or _compiled(_SHOTS).match(text)
    if which is not None:
        return _cut_out(words, which), True
    request = _compiled(_REQUEST).match(text)
    if request is None:
        return words, False
    rest, shots = _without_shots(words[_index(text, request.end()) :])
    if shots:
        text = " " + joined(rest)
        filmed = _compiled(_FILMED_BY).match(text)
        if filmed is not None:
            whole = filmed.end() == len(text)
            rest = rest[text[1:].split(" ").index("by") + 1 if whole else text.count(" ", 0, filmed.end()) :]
    while rest and rest[0].text in {",", ":", "where", "that"}:
        rest = rest[1:]
    return rest, True


def _without_shots(words: list[Word]) -> tuple[list[Word], bool]:
    """The words behind a request without "videos of", and whether that was said."""
    text = " " + joined(words)
    shots = _compiled(_OF_SHOTS).match(text)
    return (words, False) if shots is None else (words[text.count(" ", 0, shots.end()) :], True)


# brackets ------------------------------------------------------------------------------------------------------

_CLOSING = {"(": ")", "[": "]"}


def _closings(words: Sequence[Word]) -> dict[int, int]:
    """The index of each opening bracket with that of the next one that closes it."""
    found: dict[int, int] = {}
    following: dict[str, int] = {}
    for at in range(len(words) - 1, -1, -1):
        text = words[at].text
        following[text] = at
        if text in _CLOSING and _CLOSING[text] in following:
            found[at] = following[_CLOSING[text]]
    return found


def _without_brackets(words: list[Word]) -> tuple[list[Word], list[list[Word]]]:
    """The words outside brackets with the verbs that brackets add to them, and clauses in brackets."""
    kept: list[Word] = []
    clauses: list[list[Word]] = []
    closings = _closings(words)
    at = 0
    while at < len(words):
        stop = closings.get(at)
        if stop is None:
            kept.append(words[at])
            at += 1
            continue
        inside = words[at + 1 : stop]
        tags = {likely_tag(word.text) for word in inside}
        if tags & AUXILIARY_TAGS:
            clauses.append(inside)
        elif "VBG" in tags and likely_tag(inside[0].text) in {"CC", "NEG", "VBG"}:
            pause = [] if likely_tag(inside[0].text) == "CC" else [attrs.evolve(words[at], text=",")]
            kept += [*pause, *inside]
        at = stop + 1
    return kept, clauses


# shots one after the other -------------------------------------------------------------------------------------


def _shots(words: list[Word], *, asked: bool) -> list[list[Word]]:
    """What each shot shows, without the words that say how it was filmed."""
    parts: list[list[Word]] = [[]]
    start, text = 0, joined(words)
    for cut in _compiled(_CUT).finditer(text):
        parts[-1] += words[start : _index(text, cut.start())]
        start = _index(text, cut.end())
        # "close-up of hands playing, then of hands writing": the view is the same, and "then" says when
        parts.append([words[start - 2]] if cut["same"] else [])
    parts[-1] += words[start:]
    return [_without_camera(part, asked=asked) for part in parts]


def _without_camera(words: list[Word], *, asked: bool) -> list[Word]:
    words = _cut_out(words, _compiled(_FIRST_SHOT).match(joined(words)))
    words = _cut_out(words, _compiled(_ANGLE).search(joined(words)))
    return (
        _cut_out(words, _compiled(_SCOPE).search(joined(words)))
        if asked or (words and words[-1].text == "?")
        else words
    )


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
        whole = next(graphs) if parts is None else together(tokens, parts, [finished(next(graphs)) for _ in parts])
        answers.append(finished(whole))
    return answers
