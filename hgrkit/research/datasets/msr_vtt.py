"""MSR-VTT: the official test split and the three splits of 1,000 test videos that papers use."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import (
    AnnotationFolder,
    expected_shape,
    problem,
    read_json,
    read_lines,
    read_names,
)
from hgrkit.research.datasets.benchmark import Annotations, BenchmarkCaption, Recipe

__all__ = ["RECIPES"]

_ALL = "MSRVTT_data.json"
_PARTS = ("test_videodatainfo.json", "train_val_videodatainfo.json")
_TEST_ONLY = "captions_official_test_2990.json"
# the lists of the official release: 0 to 6512 to train, up to 7009 to validate
_OFFICIAL_TEST = tuple(f"video{number}" for number in range(7010, 10000))
_FOLDERS = frozenset(("msrvtt", "msrvtt10k"))
_CITATION = "Xu, Mei, Yao, Rui: MSR-VTT, CVPR 2016"


@attrs.frozen(kw_only=True)
class _Sentences:
    """Captions of each video by id, in the order of the files.

    Attributes:
        of_video: `{video: {caption id: text}}`.
        test: the videos whose record says `test`; empty if the files do not say.
        files: what was read.
    """

    of_video: Mapping[str, Mapping[str, str]]
    test: tuple[str, ...]
    files: tuple[Path, ...]

    def captions(self, video: str) -> list[BenchmarkCaption]:
        """A video's captions."""
        items = self.of_video.get(video, {}).items()
        return [BenchmarkCaption(id=key, video=video, text=text) for key, text in items]


def _full(folder: AnnotationFolder) -> Annotations:
    sentences = _sentences(folder)
    path = folder.find("test_list_full.txt")
    names = list(sentences.test or sentences.of_video) if path is None else read_names(path)
    files = sentences.files if path is None else (path, *sentences.files)
    missing, surplus = set(_OFFICIAL_TEST) - set(names), set(names) - set(_OFFICIAL_TEST)
    return Annotations(
        videos=names,
        captions=[caption for name in dict.fromkeys(names) for caption in sentences.captions(name)],
        files=files,
        problems=[
            *problem("videos that are missing", sorted(missing)),
            *problem("videos that are not of the official test split", sorted(surplus)),
        ],
    )


def _jsfusion(folder: AnnotationFolder) -> Annotations:
    path = folder.require("MSRVTT_JSFUSION_test.csv")
    rows = list(csv.DictReader(line for _, line in read_lines(path)))
    if not rows or not {"key", "video_id", "sentence"} <= rows[0].keys():
        raise BenchmarkError(f"{path} must have the columns key, vid_key, video_id and sentence.")
    captions = [
        BenchmarkCaption(id=row["key"], video=row["video_id"] or "", text=(row["sentence"] or "").strip())
        for row in rows
    ]
    lost = {f"ret{number}" for number in range(1000)} - {caption.id for caption in captions}
    lost_lines = sorted(lost, key=lambda key: int(key.removeprefix("ret")))
    problems = problem(f"lines that are missing from {path.name}", lost_lines)
    files = [path]
    if (checklist := folder.find("val_list_jsfusion.txt")) is not None:
        files.append(checklist)
        absent = set(read_names(checklist)) ^ {caption.video for caption in captions}
        problems += problem(f"videos in one of {path.name} and {checklist.name} only", sorted(absent))
    return Annotations(
        videos=dict.fromkeys(caption.video for caption in captions),
        captions=captions,
        files=files,
        problems=problems,
    )


def _miech(folder: AnnotationFolder) -> Annotations:
    path = folder.require("test_list_miech.txt")
    names = read_names(path)
    sentences = _sentences(folder)
    silent = [name for name in names if name not in sentences.of_video]
    source = ", ".join(file.name for file in sentences.files)
    return Annotations(
        videos=names,
        captions=[caption for name in names for caption in sentences.captions(name)[:1]],
        files=(path, *sentences.files),
        problems=[f"{len(silent)} videos have no caption in {source}; {_ALL} has all"] if silent else [],
    )


def _sentences(folder: AnnotationFolder) -> _Sentences:
    """Captions from the first published file that is there, else from the repackaged ones of the test split."""
    whole = folder.find(_ALL)
    parts = [whole] if whole is not None else [path for name in _PARTS if (path := folder.find(name)) is not None]
    if parts:
        return _published(parts)
    path = folder.require(_ALL, _PARTS[0], _TEST_ONLY)
    content = read_json(path, list)
    with expected_shape(path, "[{video, caption: [texts]}]"):
        texts_of = {str(record["video"]).removesuffix(".mp4"): record["caption"] for record in content}
        of_video = {
            name: {f"{name}#{number}": text.strip() for number, text in enumerate(texts)}
            for name, texts in texts_of.items()
        }
    return _Sentences(of_video=of_video, test=(), files=(path,))


def _published(paths: Iterable[Path]) -> _Sentences:
    of_video: dict[str, dict[str, str]] = {}
    test: list[str] = []
    for path in paths:
        content = read_json(path, dict)
        with expected_shape(path, "{videos: [{video_id, split}], sentences: [{video_id, caption, sen_id}]}"):
            test += [record["video_id"] for record in content["videos"] if record.get("split") == "test"]
            for sentence in content["sentences"]:
                own = of_video.setdefault(sentence["video_id"], {})
                own[f"{sentence['video_id']}#{sentence.get('sen_id', len(own))}"] = sentence["caption"].strip()
    return _Sentences(of_video=of_video, test=tuple(test), files=tuple(paths))


_PAIRS = (
    "1,000 test videos with one caption each, as JSFusion's authors drew them; a caption's own video is right. "
    "Four sentences belong to two or three videos each."
)

_JSFUSION = Recipe(
    name="msr-vtt/1k-a",
    aliases=("msr-vtt/jsfusion", "msr-vtt/9k"),
    queries=1000,
    videos=1000,
    captions_per_video=1,
    files="MSRVTT_JSFUSION_test.csv; val_list_jsfusion.txt if there is one",
    folders=_FOLDERS,
    protocol=f"{_PAIRS} Models train on the other 9,000 videos.",
    citation="Yu, Kim, Kim: JSFusion, ECCV 2018; 9,000 videos to train: Gabeur et al., ECCV 2020",
    read=_jsfusion,
)

RECIPES = (
    Recipe(
        name="msr-vtt/full",
        aliases=("msr-vtt", "msr-vtt/official", "msr-vtt/test"),
        queries=59800,
        videos=2990,
        captions_per_video=20,
        files=f"{_ALL}, test_videodatainfo.json or {_TEST_ONLY}; test_list_full.txt if there is one",
        folders=_FOLDERS,
        protocol=(
            "The official split: 6,513 videos to train, 497 to validate, 2,990 to test. Each of a test video's 20 "
            "captions is a query, also where another video has the same words."
        ),
        citation=_CITATION,
        read=_full,
    ),
    _JSFUSION,
    attrs.evolve(
        _JSFUSION,
        name="msr-vtt/1k-yu",
        aliases=("msr-vtt/test1k-yu", "msr-vtt/7k"),
        protocol=f"{_PAIRS} The test pairs of 1k-A; models train on 7,010 videos.",
        citation="Yu, Kim, Kim: JSFusion, ECCV 2018",
    ),
    Recipe(
        name="msr-vtt/1k-miech",
        aliases=("msr-vtt/1k-b", "msr-vtt/miech", "msr-vtt/test1k-miech"),
        queries=1000,
        videos=1000,
        captions_per_video=1,
        files=f"test_list_miech.txt and {_ALL}, or test_videodatainfo.json and train_val_videodatainfo.json",
        folders=_FOLDERS,
        protocol=(
            "1,000 test videos with the first caption of each in the order of the file: 896 of the official test "
            "split and 104 of its training split, so that a model trained on the official 6,513 videos has seen "
            "104 of them. Models train on 6,656 videos."
        ),
        citation="Miech, Laptev, Sivic: arXiv 1804.02516",
        read=_miech,
    ),
)
