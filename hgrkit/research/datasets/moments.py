"""Sentences with moments in long videos: ActivityNet Captions, Charades-STA and TVR."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import attrs

from hgrkit.research.datasets.annotation_folder import (
    AnnotationFolder,
    expected_shape,
    parse_lines,
    problem,
    read_json,
    read_lines,
)
from hgrkit.research.datasets.benchmark import Annotations, BenchmarkCaption, BenchmarkVideo, Recipe

__all__ = ["RECIPES"]

# ActivityNet Captions: whole paragraphs against whole videos, or every sentence as a moment of its video --------

_ACTIVITYNET = "val_1.json"
_ACTIVITYNET_SHAPE = "{video: {duration, timestamps: [[start, end]], sentences: [text]}}"
_ACTIVITYNET_VIDEOS, _ACTIVITYNET_SENTENCES = 4917, 17505
_ACTIVITYNET_CITATION = "Krishna, Hata, Ren, Fei-Fei, Niebles: Dense-Captioning Events in Videos, ICCV 2017"
_ACTIVITYNET_FOLDERS = frozenset(("activitynetcaptions", "activitynet", "anetcaptions", "anet", "actnet"))


def _activitynet(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_ACTIVITYNET)
    videos, captions, problems = [], [], []
    for name, record in read_json(path, dict).items():
        with expected_shape(path, _ACTIVITYNET_SHAPE, repr(name)):
            times, sentences = record["timestamps"], record["sentences"]
            videos.append(BenchmarkVideo(name=name, duration_s=float(record["duration"])))
            captions += [
                BenchmarkCaption(
                    id=f"{name}#{number}",
                    video=name,
                    text=text.strip(),
                    start_s=float(start_s),
                    end_s=float(end_s),
                )
                for number, (text, (start_s, end_s)) in enumerate(zip(sentences, times, strict=False))
            ]
        if len(times) != len(sentences):
            problems.append(f"{name} has {len(sentences)} sentences but {len(times)} time stamps")
    return Annotations(videos=videos, captions=captions, files=(path,), problems=problems)


def _activitynet_paragraphs(folder: AnnotationFolder) -> Annotations:
    found = _activitynet(folder)
    texts: dict[str, list[str]] = {video.name: [] for video in found.videos}
    for sentence in found.captions:
        texts[sentence.video].append(sentence.text)
    count, expected = len(found.captions), _ACTIVITYNET_SENTENCES
    return Annotations(
        videos=found.videos,
        captions=[
            BenchmarkCaption(id=name, video=name, text=" ".join(filter(None, own))) for name, own in texts.items()
        ],
        files=found.files,
        sentences=count,
        problems=[*found.problems, *[f"{count:,} sentences, expected {expected:,}"] * (count != expected)],
    )


_MS_SL = "activitynettest.caption.txt"
_MS_SL_VIDEOS, _MS_SL_SENTENCES = 4430, 15753
_LATER_VALIDATION = "val_2.json"


def _ms_sl(folder: AnnotationFolder) -> Annotations:
    """The list of sentences that MS-SL tests on; moments and lengths are looked up in val_1 and val_2."""
    path = folder.require(_MS_SL)
    listed, problems = parse_lines(path, _ms_sl_caption)
    times, durations, files = _moments_by_words(folder)
    captions = []
    for caption in listed:
        own = times.get((caption.video, _words(caption.text)), [])
        # where a video has the same words twice, its first line has the first moment
        start_s, end_s = own.pop(0) if own else (None, None)
        captions.append(attrs.evolve(caption, start_s=start_s, end_s=end_s))
    names = dict.fromkeys(caption.video for caption in captions)
    return Annotations(
        videos=[BenchmarkVideo(name=name, duration_s=durations.get(name)) for name in names],
        captions=captions,
        files=(path, *files),
        problems=problems,
    )


def _ms_sl_caption(line: str) -> BenchmarkCaption:
    """`VIDEO#enc#3 the words`: the video is what stands before the first `#`."""
    key, text = line.split(" ", 1)
    video, number = key.split("#", 1)
    if not video or not number:
        raise ValueError(line)
    return BenchmarkCaption(id=key, video=video, text=text.strip())


_Moments = dict[tuple[str, str], list[tuple[float, float]]]


def _moments_by_words(folder: AnnotationFolder) -> tuple[_Moments, dict[str, float], list[Path]]:
    """Moments by video and words, lengths by video, and the files that say so, of val_1 and val_2.

    A list of captions has no times; the sentences are those of the published annotations.
    """
    times: _Moments = {}
    durations: dict[str, float] = {}
    files = [path for name in (_ACTIVITYNET, _LATER_VALIDATION) if (path := folder.find(name)) is not None]
    for path in files:
        seen: _Moments = {}
        for video, record in read_json(path, dict).items():
            with expected_shape(path, _ACTIVITYNET_SHAPE, repr(video)):
                durations.setdefault(video, float(record["duration"]))
                for text, (start_s, end_s) in zip(record["sentences"], record["timestamps"], strict=False):
                    seen.setdefault((video, _words(text)), []).append((float(start_s), float(end_s)))
        for key, own in seen.items():
            times.setdefault(key, own)
    return times, durations, files


def _words(text: str) -> str:
    """A sentence without case, punctuation and repeated spaces, in which lists of captions differ."""
    return " ".join(re.sub(r"[^a-z0-9]", " ", text.lower()).split())


# Charades-STA: untrimmed videos of daily life -------------------------------------------------------------------

_CHARADES = "charades_sta_test.txt"
_CHARADES_LENGTHS = "Charades_v1_test.csv"
_CHARADES_LINE = re.compile(r"(\S+)\s+(-?[\d.]+)\s+(-?[\d.]+)\s*##(.*)")


def _charades(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_CHARADES)
    captions, problems = parse_lines(path, _charades_caption)
    lengths, files = {}, [path]
    if (table := folder.find(_CHARADES_LENGTHS)) is not None:
        files.append(table)
        rows = csv.DictReader(line for _, line in read_lines(table))
        lengths = {row["id"]: float(row["length"]) for row in rows}
    names = dict.fromkeys(caption.video for caption in captions)
    return Annotations(
        videos=[BenchmarkVideo(name=name, duration_s=lengths.get(name)) for name in names],
        captions=captions,
        files=files,
        problems=problems,
    )


def _charades_caption(line: str) -> BenchmarkCaption:
    match = _CHARADES_LINE.fullmatch(line)
    if match is None:
        raise ValueError(line)
    video, start_s, end_s, text = match.groups()
    return BenchmarkCaption(
        id=f"{video}:{start_s}-{end_s}:{text.strip()}",
        video=video,
        text=text.strip(),
        start_s=float(start_s),
        end_s=float(end_s),
    )


# TVR: clips of television shows ---------------------------------------------------------------------------------

_TVR = "tvr_val_release.jsonl"
# the sentences of the validation split are numbered without gaps
_TVR_IDS = range(87175, 98070)


def _tvr(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_TVR)
    found, problems = parse_lines(path, _tvr_caption)
    there = {caption.id for caption, _ in found}
    missing = sorted({str(number) for number in _TVR_IDS} - there)
    lengths = {caption.video: duration_s for caption, duration_s in found}
    return Annotations(
        videos=[BenchmarkVideo(name=name, duration_s=duration_s) for name, duration_s in lengths.items()],
        captions=[caption for caption, _ in found],
        files=(path,),
        problems=[*problems, *problem("desc_id that are missing", missing)],
    )


def _tvr_caption(line: str) -> tuple[BenchmarkCaption, float]:
    """A caption, and the length of its clip in seconds."""
    record = json.loads(line)
    start_s, end_s = map(float, record["ts"])
    caption = BenchmarkCaption(
        id=str(record["desc_id"]),
        video=record["vid_name"],
        text=record["desc"].strip(),
        start_s=start_s,
        end_s=end_s,
    )
    return caption, float(record["duration"])


RECIPES = (
    Recipe(
        name="activitynet-captions/paragraph",
        aliases=("activitynet/paragraph", "activitynet-captions/p2v"),
        task="paragraph retrieval",
        split="val_1",
        queries=_ACTIVITYNET_VIDEOS,
        videos=_ACTIVITYNET_VIDEOS,
        captions_per_video=1,
        files=_ACTIVITYNET,
        folders=_ACTIVITYNET_FOLDERS,
        protocol=(
            "Of each of the 4,917 videos of val_1, all 17,505 sentences are joined, in the order of the file and "
            "with one space between them, into one paragraph, the query; the whole video is right. Papers that "
            "report 4,885 or 4,773 videos use val_2, or leave out videos that are no longer available."
        ),
        citation=f"{_ACTIVITYNET_CITATION}; paragraphs: Zhang, Hu, Sha, ECCV 2018",
        read=_activitynet_paragraphs,
    ),
    Recipe(
        name="activitynet-captions",
        aliases=("activitynet", "anet"),
        task="partially relevant retrieval",
        split="val_1",
        queries=_ACTIVITYNET_SENTENCES,
        videos=_ACTIVITYNET_VIDEOS,
        files=_ACTIVITYNET,
        folders=_ACTIVITYNET_FOLDERS,
        protocol=(
            "Every sentence of val_1 is a query and describes a moment; its untrimmed video is right. The second "
            "annotators' val_2 is not used. Papers on partially relevant retrieval test on fewer: see "
            "activitynet-captions/ms-sl."
        ),
        citation=f"{_ACTIVITYNET_CITATION}; partially relevant retrieval: Dong et al., ACM MM 2022",
        read=_activitynet,
    ),
    Recipe(
        name="activitynet-captions/ms-sl",
        aliases=("activitynet/ms-sl", "anet/ms-sl"),
        task="partially relevant retrieval",
        queries=_MS_SL_SENTENCES,
        videos=_MS_SL_VIDEOS,
        files=f"{_MS_SL}; {_ACTIVITYNET} and {_LATER_VALIDATION} for moments and lengths, if there are any",
        folders=_ACTIVITYNET_FOLDERS | {"textdata"},
        protocol=(
            "The 15,753 sentences about 4,430 videos that MS-SL and its successors test on, as their file lists "
            "them; every sentence is a query and describes a moment, and its untrimmed video is right. They train "
            "on 9,043 videos with 33,721 sentences. Figures of theirs are to be set beside this benchmark, not "
            "beside activitynet-captions, which has all of val_1."
        ),
        citation=(
            f"{_ACTIVITYNET_CITATION}; partially relevant retrieval: Dong et al., ACM MM 2022, whose file it is "
            "(github.com/HuiGuanLab/ms-sl, dataset/readme.md)"
        ),
        read=_ms_sl,
    ),
    Recipe(
        name="charades-sta",
        aliases=("charades",),
        task="partially relevant retrieval",
        queries=3720,
        videos=1334,
        files=f"{_CHARADES}; {_CHARADES_LENGTHS} for the videos' lengths, if there is one",
        folders=frozenset(("charadessta", "charades")),
        protocol=(
            "Every line of the test file is a query and describes a moment; its untrimmed video is right. The "
            "1,334 videos with a sentence are the candidates."
        ),
        citation=(
            "Gao, Sun, Yang, Nevatia: TALL, ICCV 2017; partially relevant retrieval: Dong et al., ACM MM 2022"
        ),
        read=_charades,
    ),
    Recipe(
        name="tvr",
        task="partially relevant retrieval",
        split="val",
        queries=10895,
        videos=2179,
        captions_per_video=5,
        files=_TVR,
        folders=frozenset(("tvr", "tvretrieval")),
        protocol=(
            "Every sentence of the validation split is a query and describes a moment; its clip is right. The "
            "test split's annotations are not public. Sentences of the types t and vt (964 and 1,834) lean "
            "on subtitles, which hgrkit does not read; they count all the same."
        ),
        citation="Lei, Yu, Berg, Bansal: TVR, ECCV 2020; partially relevant retrieval: Dong et al., ACM MM 2022",
        read=_tvr,
    ),
)
