"""Pairs of real clips of one subject, one with a thing and one without it, told by their human captions.

A clip is of a subject, or shows a thing, if at least half of its captions name it; it is without the thing if no
caption does, in any of the words for it. What captions leave out may still be seen: nobody gets all pairs right.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs
from msvd_98 import for_choosing, for_reporting
from real_clips import read_videos

__all__ = ["SUBJECTS", "THINGS", "CaptionedClip", "ClipPair", "Thing", "draw_pairs", "part_of", "read_clips"]

NAMED_BY = 0.5
PAIRS_A_THING = 3

PERSONS = (
    "man men woman women person people guy guys girl girls boy boys lady ladies child children kid kids someone "
    "somebody baby toddler gentleman male female human humans crowd audience player players singer chef cook host "
    "he she his her team band group couple actor actress family student students teacher driver"
)
MEN, WOMEN = "man men guy guys male gentleman", "woman women lady ladies female girl girls"

SUBJECTS: Mapping[str, Sequence[str]] = {
    "a man": [MEN],
    "a woman": [WOMEN],
    "a girl": ["girl girls"],
    "a boy": ["boy boys kid kids child children"],
    "a person": [PERSONS],
    "a man talking": [MEN, "talking talks speaking speaks discussing explaining"],
    "a woman talking": [WOMEN, "talking talks speaking speaks discussing explaining"],
    "a man singing": [MEN, "singing sings performing"],
    "a woman singing": [WOMEN, "singing sings performing"],
    "people dancing": ["dancing dances dance"],
    "a person cooking": ["cooking cooks cook preparing prepares"],
    "a baby": ["baby babies toddler"],
    "a dog": ["dog dogs puppy puppies"],
    "a cat": ["cat cats kitten kittens"],
    "a horse": ["horse horses"],
    "a car": ["car cars"],
    "a street": ["street streets road roads"],
    "a kitchen": ["kitchen"],
    "food": ["food foods dish meal ingredients"],
    "a table": ["table"],
    "water": ["water river lake sea ocean"],
}
"""What clips are of: each caption that counts has a word of every row."""


@attrs.frozen
class Thing:
    """What a question excludes.

    Attributes:
        words: that captions name it by.
        verb: what a subject does with it, for "not holding a bag".
    """

    words: str
    verb: str | None = None


THINGS: Mapping[str, Thing] = {
    "a guitar": Thing("guitar guitars", "playing"),
    "a piano": Thing("piano keyboard pianist", "playing"),
    "a microphone": Thing("microphone microphones mic mike", "holding"),
    "a phone": Thing("phone phones cellphone smartphone iphone mobile cell", "holding"),
    "a gun": Thing("gun guns rifle pistol weapon weapons shooting", "holding"),
    "a book": Thing("book books reading", "reading"),
    "a bag": Thing("bag bags purse handbag backpack", "holding"),
    "a bottle": Thing("bottle bottles", "holding"),
    "a baby": Thing("baby babies infant toddler child", "holding"),
    "a knife": Thing("knife knives cutting chopping slicing cuts slices", "holding"),
    "a doll": Thing("doll dolls barbie", "holding"),
    "a toy": Thing("toy toys doll dolls lego", "holding"),
    "a hat": Thing("hat hats cap helmet", "wearing"),
    "a dress": Thing("dress dresses gown skirt", "wearing"),
    "a suit": Thing("suit suits jacket tuxedo", "wearing"),
    "a shirt": Thing("shirt shirts tshirt", "wearing"),
    "glasses": Thing("glasses sunglasses spectacles goggles", "wearing"),
    "makeup": Thing("makeup make-up cosmetics lipstick mascara make eyeliner eyeshadow", "applying"),
    "a car": Thing("car cars vehicle vehicles truck suv van automobile driving drives jeep", "driving"),
    "a motorcycle": Thing("motorcycle motorcycles motorbike bike bikes scooter biker", "riding"),
    "a bicycle": Thing("bicycle bicycles bike bikes cycle cycling", "riding"),
    "a horse": Thing("horse horses pony", "riding"),
    "a boat": Thing("boat boats ship yacht raft canoe kayak", "riding"),
    "a stroller": Thing("stroller strollers pram carriage", "pushing"),
    "a computer": Thing("computer computers laptop screen monitor", "using"),
    "a dog": Thing("dog dogs puppy puppies"),
    "a cat": Thing("cat cats kitten kittens"),
    "a monkey": Thing("monkey monkeys ape chimp chimpanzee"),
    "a fish": Thing("fish fishes fishing"),
    "a bird": Thing("bird birds parrot chicken duck owl eagle"),
    "a table": Thing("table tables desk"),
    "a bed": Thing("bed beds couch sofa"),
    "a pan": Thing("pan pans pot skillet wok frying"),
    "a bowl": Thing("bowl bowls mixing"),
    "eggs": Thing("egg eggs"),
    "an onion": Thing("onion onions"),
    "food": Thing("food foods dish meal eating eats cooking cooks cook ingredients recipe", "eating"),
    "vegetables": Thing(
        "vegetable vegetables onion onions carrot carrots potato potatoes tomato salad", "cutting"
    ),
    "a stage": Thing("stage concert theater audience performing"),
    "a pool": Thing("pool swimming swim"),
    "a beach": Thing("beach ocean sea shore sand"),
    "water": Thing("water pool river lake sea ocean swimming beach", "drinking"),
    "snow": Thing("snow snowy ski skiing snowboarding ice"),
    "fire": Thing("fire flames burning flame"),
    "grass": Thing("grass field lawn grassy"),
    "trees": Thing("tree trees forest woods jungle"),
    "flowers": Thing("flower flowers"),
    "a ball": Thing("ball balls basketball football soccer baseball tennis volleyball", "throwing"),
    "people": Thing(PERSONS),
}


@attrs.frozen
class CaptionedClip:
    """A clip's name and the sets of words of its captions."""

    name: str
    captions: tuple[frozenset[str], ...]

    @classmethod
    def of(cls, name: str, captions: Iterable[str]) -> CaptionedClip:
        """Read captions as words."""
        return cls(name, tuple(frozenset(re.findall(r"[a-z][a-z-]*", text.lower())) for text in captions))

    def share(self, rows: Sequence[str]) -> float:
        """Share of the captions that have a word of each row."""
        named = [all(not words.isdisjoint(row.split()) for row in rows) for words in self.captions]
        return sum(named) / len(named)


@attrs.frozen
class ClipPair:
    """Two clips of a subject, of which one shows the thing.

    Attributes:
        subject: what both are of.
        thing: what is excluded.
        shows: the clip with it.
        lacks: the clip without it.
    """

    subject: str
    thing: str
    shows: str
    lacks: str


def part_of(*, reporting: bool) -> str:
    """The file of MSR-VTT's frames to report on, or to choose on."""
    return "test" if reporting else "train"


def read_clips(data: Path, *, reporting: bool) -> list[CaptionedClip]:
    """MSR-VTT's videos and one half of the MSVD clips: those to choose on, or those to report on."""
    videos = read_videos(data, part_of(reporting=reporting))
    msvd = json.loads((data / "msvd/captions.json").read_text(encoding="utf-8"))
    half = (for_reporting if reporting else for_choosing)(msvd)
    return [
        *(CaptionedClip.of(str(video["video"]), video["captions"]) for video in videos),
        *(CaptionedClip.of(name, msvd[name]) for name in half),
    ]


def draw_pairs(clips: Sequence[CaptionedClip], count: int, seed: int) -> list[ClipPair]:
    """Draw pairs at random: a subject and a thing, then clips; no clip with a thing twice, no thing often."""
    rng = random.Random(seed)
    of_subject = {
        name: [clip for clip in clips if clip.share(rows) >= NAMED_BY] for name, rows in SUBJECTS.items()
    }
    shares = {name: {clip.name: clip.share([thing.words]) for clip in clips} for name, thing in THINGS.items()}
    questions = [
        (subject, thing)
        for subject, rows in SUBJECTS.items()
        for thing, named in THINGS.items()
        if not set(named.words.split()) & set(" ".join(rows).split())
    ]
    pairs: list[ClipPair] = []
    used: set[str] = set()
    for _ in range(PAIRS_A_THING):
        drawn: set[str] = set()
        for subject, thing in rng.sample(questions, len(questions)):
            share = shares[thing]
            shows = [c.name for c in of_subject[subject] if share[c.name] >= NAMED_BY and c.name not in used]
            lacks = [c.name for c in of_subject[subject] if not share[c.name] and c.name not in used]
            if thing in drawn or not shows or not lacks:
                continue
            pairs.append(ClipPair(subject, thing, rng.choice(shows), rng.choice(lacks)))
            used |= {pairs[-1].shows, pairs[-1].lacks}
            drawn.add(thing)
    return pairs[:count]
