"""Captions of whole clips or photographs: VATEX, YouCook2, TGIF, MSVD, Flickr8k, and the HGR release's layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import attrs

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import (
    AnnotationFolder,
    expected_shape,
    listed,
    parse_lines,
    problem,
    read_json,
    read_names,
)
from hgrkit.research.datasets.benchmark import (
    Annotations,
    BenchmarkCaption,
    BenchmarkVideo,
    Recipe,
    numbered_captions,
)

__all__ = ["FLICKR8K", "HGR_RELEASE", "RECIPES", "Split", "read_flickr8k_captions"]


# VATEX: ten English captions for each clip of ten seconds -------------------------------------------------------

_VATEX = "vatex_validation_v1.0.json"
_VATEX_LISTS = ("tst_names.npy", "vatex_test_list.txt", "test_list.txt")
_VATEX_CITATION = "Wang, Wu, Chen, Li, Wang, Wang: VATEX, ICCV 2019"


def _vatex_validation(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_VATEX)
    names, captions = [], []
    for position, record in enumerate(read_json(path, list)):
        with expected_shape(path, "[{videoID, enCap: [texts]}]", f"record {position}"):
            names.append(str(record["videoID"]))
            captions += numbered_captions(names[-1:], [(names[-1], text) for text in record["enCap"]])
    return Annotations(videos=names, captions=captions, files=(path,))


def _vatex_test(folder: AnnotationFolder) -> Annotations:
    found = _vatex_validation(folder)
    path = folder.require(*_VATEX_LISTS)
    names = read_names(path)
    kept = set(names)
    return Annotations(
        videos=names,
        captions=[caption for caption in found.captions if caption.video in kept],
        files=(*found.files, path),
    )


# YouCook2: the steps of cooking videos, each cut out as a clip of its own ---------------------------------------

_YOUCOOK2 = ("yc2_annotations_trainval.json", "youcookii_annotations_trainval.json")
_YOUCOOK2_VIDEOS = 457


def _youcook2(folder: AnnotationFolder) -> Annotations:
    path = folder.require(*_YOUCOOK2)
    content = read_json(path, dict)
    expected = "{database: {video: {subset, annotations: [{id, segment: [start, end], sentence}]}}}"
    with expected_shape(path, expected):
        steps_of = {
            name: record["annotations"]
            for name, record in content["database"].items()
            if record["subset"] == "validation"
        }
        pairs = [_youcook2_clip(name, step) for name, steps in steps_of.items() for step in steps]
        gaps = [name for name, steps in steps_of.items() if [step["id"] for step in steps] != [*range(len(steps))]]
    files = [path]
    problems = [f"{len(steps_of)} long videos, expected {_YOUCOOK2_VIDEOS}"] * (len(steps_of) != _YOUCOOK2_VIDEOS)
    problems += [f"steps are missing from {listed(gaps)}"] if gaps else []
    if (checklist := folder.find("val_list.txt")) is not None:
        files.append(checklist)
        only = {name.rpartition("/")[2] for name in read_names(checklist)} ^ steps_of.keys()
        problems += problem(f"videos in one of {path.name} and {checklist.name} only", sorted(only))
    return Annotations(
        videos=[clip for clip, _ in pairs], captions=[step for _, step in pairs], files=files, problems=problems
    )


def _youcook2_clip(source: str, step: dict[str, Any]) -> tuple[BenchmarkVideo, BenchmarkCaption]:
    start_s, end_s = map(float, step["segment"])
    name = f"{source}_{step['id']}"
    clip = BenchmarkVideo(name=name, duration_s=end_s - start_s, source=source, start_s=start_s, end_s=end_s)
    return clip, BenchmarkCaption(id=name, video=name, text=step["sentence"].strip())


# TGIF: animated pictures from Tumblr; one caption each in training, three in the test split ---------------------

_TGIF = "tgif-v1.0.tsv"
_TGIF_CITATION = "Li, Song, Cao, Tetreault, Goldberg, Jaimes, Luo: TGIF, CVPR 2016"
_TGIF_FOLDERS = frozenset(("tgif", "tgifrelease"))


def _tgif(folder: AnnotationFolder, list_name: str = "test.txt") -> Annotations:
    captions_path, names_path = folder.require(_TGIF), folder.require(list_name)
    names = [_tgif_name(url) for url in read_names(names_path)]
    found, problems = parse_lines(captions_path, _tab_separated)
    texts = [(_tgif_name(url), text) for url, text in found]
    return _listed_videos(names, texts, (captions_path, names_path), problems)


def _tgif_name(url: str) -> str:
    """A picture's name: the last part of its address, without `.gif`.

    >>> _tgif_name("https://38.media.tumblr.com/9f6c25cc/tumblr_mevmyaKtDf1rgvhr8o1_500.gif")
    'tumblr_mevmyaKtDf1rgvhr8o1_500'
    """
    return PurePosixPath(url).name.removesuffix(".gif")


# MSVD, also called Youtube2Text: short clips with some forty captions each ---------------------------------------

_MSVD = "AllVideoDescriptions.txt"
_MSVD_LISTS = ("test_list.txt", "tst_names.npy")
_MSVD_MAPPING = "youtube_mapping.txt"
_MSVD_FIRST_TEST = 1301


def _msvd(folder: AnnotationFolder) -> Annotations:
    captions_path = folder.require(_MSVD)
    names_path = folder.require(*_MSVD_LISTS, _MSVD_MAPPING)
    names = read_names(names_path)
    if names_path.name == _MSVD_MAPPING:
        names = [name for line in names if (name := _msvd_test_clip(line))]
    found, problems = parse_lines(captions_path, _msvd_caption)
    names = [name.removesuffix(".avi") for name in names]
    return _listed_videos(names, found, (captions_path, names_path), problems)


def _msvd_caption(line: str) -> tuple[str, str]:
    if line.startswith("#"):  # a comment: the caption of no clip
        return "", ""
    name, text = line.split(" ", 1)
    return name, text


def _msvd_test_clip(line: str) -> str:
    """The clip of a line `CLIP vidN` if it is of the test split, N from 1301, else nothing."""
    name, _, number = line.rpartition(" ")
    digits = number.removeprefix("vid")
    return name.strip() if digits.isdigit() and int(digits) >= _MSVD_FIRST_TEST else ""


# Flickr8k: photographs with five captions each; a photograph is a video of one frame ----------------------------

Split = Literal["train", "dev", "test"]

_FLICKR8K, _FLICKR8K_TEST = "Flickr8k.token.txt", "Flickr_8k.testImages.txt"
_FLICKR8K_FOLDERS = frozenset(("flickr8k", "flickr8ktext"))
_FLICKR8K_NUMBERS = range(5)


def read_flickr8k_captions(folder: Path, split: Split) -> dict[str, list[str]]:
    """Read the captions of a split's photographs by file name, in the order of the official list.

    Args:
        folder: where `Flickr8k.token.txt` and the lists lie, or its parent.
        split: which list.

    Raises:
        MissingPathError: if a file is missing.
        BenchmarkError: if a line of the captions cannot be read, or a photograph has none.
    """
    files = AnnotationFolder.open(folder, benchmark="flickr8k", names=_FLICKR8K_FOLDERS)
    found = _flickr8k(files, f"Flickr_8k.{split}Images.txt", numbers=())
    captions_path, names_path = found.files
    if found.problems:
        raise BenchmarkError(f"{captions_path}: {found.problems[0]}.")
    texts: dict[str, list[str]] = {video.name: [] for video in found.videos}
    for caption in found.captions:
        texts[caption.video].append(caption.text)
    if without := [name for name, own in texts.items() if not own]:
        raise BenchmarkError(f"{captions_path}: photographs of {names_path} without captions: {listed(without)}.")
    return texts


def _flickr8k(
    folder: AnnotationFolder, list_name: str = _FLICKR8K_TEST, *, numbers: Iterable[int] = _FLICKR8K_NUMBERS
) -> Annotations:
    captions_path, names_path = folder.require(_FLICKR8K), folder.require(list_name)
    found, problems = parse_lines(captions_path, _tab_separated)
    names = read_names(names_path)
    place = {name: place for place, name in enumerate(dict.fromkeys(names))}
    captions = [
        BenchmarkCaption(id=key, video=image, text=text.strip())
        for key, text in found
        if (image := key.partition("#")[0]) in place
    ]
    there = {caption.id for caption in captions}
    missing = [key for name in place for number in numbers if (key := f"{name}#{number}") not in there]
    return Annotations(
        videos=names,
        captions=sorted(captions, key=lambda caption: place[caption.video]),
        files=(captions_path, names_path),
        problems=[*problems, *problem("captions that are missing", missing)],
    )


# a data set as the released HGR code keeps it: a list of names and captions by video ----------------------------

_RELEASE = "ref_captions.json"
_RELEASE_LISTS = ("tst_names.npy", "val_names.npy", "trn_names.npy")


def _release(folder: AnnotationFolder) -> Annotations:
    names_path, captions_path = folder.require(*_RELEASE_LISTS), folder.require(_RELEASE)
    names, texts_of = read_names(names_path), read_json(captions_path, dict)
    with expected_shape(captions_path, "{name: [captions]}"):
        texts = [(name, text.strip()) for name in dict.fromkeys(names) for text in texts_of.get(name, ())]
    silent = problem(f"videos that {_RELEASE} does not know", [name for name in names if name not in texts_of])
    return attrs.evolve(
        _listed_videos(names, texts, (names_path, captions_path), silent),
        split=names_path.name.removesuffix("_names.npy"),
    )


def _listed_videos(
    names: Sequence[str], texts: Iterable[tuple[str, str]], files: Sequence[Path], problems: Sequence[str]
) -> Annotations:
    """The videos of a list with their captions, in the order of the list."""
    captions = numbered_captions(names, texts)
    return Annotations(videos=names, captions=captions, files=files, problems=problems)


def _tab_separated(line: str) -> tuple[str, str]:
    name, text = line.split("\t", 1)
    return name, text


RECIPES = (
    Recipe(
        name="vatex",
        aliases=("vatex/hgr", "vatex/1500"),
        queries=15000,
        videos=1500,
        captions_per_video=10,
        files=f"{_VATEX} and the list of the 1,500 test videos: {' or '.join(_VATEX_LISTS)}",
        folders=frozenset(("vatex",)),
        protocol=(
            "The split of the HGR paper, which most papers took over: 25,991 clips to train; half of the 3,000 "
            "public validation clips to validate, the other half to test, since the test captions were not "
            "public. Each of the ten English captions is a query."
        ),
        citation=f"{_VATEX_CITATION}; split: Chen, Zhao, Jin, Wu, CVPR 2020",
        read=_vatex_test,
    ),
    Recipe(
        name="vatex/val",
        split="val",
        queries=30000,
        videos=3000,
        captions_per_video=10,
        files=_VATEX,
        folders=frozenset(("vatex",)),
        protocol="All 3,000 public validation clips; each of the ten English captions is a query.",
        citation=_VATEX_CITATION,
        read=_vatex_validation,
    ),
    Recipe(
        name="youcook2",
        aliases=("youcookii",),
        split="val",
        queries=3492,
        videos=3492,
        captions_per_video=1,
        files=f"{' or '.join(_YOUCOOK2)}; val_list.txt if there is one",
        folders=frozenset(("youcook2", "youcookii", "yc2")),
        protocol=(
            "Every annotated step of the 457 validation videos is a clip, named VIDEO_ID after the step's id, and "
            "its sentence is the query. The annotations hold 3,492 steps; papers commonly test on some 3,350 of "
            "them, since videos have been taken down, so compare figures only over the same clips."
        ),
        citation="Zhou, Xu, Corso: Automatic Learning of Procedures from Web Instructional Videos, AAAI 2018",
        read=_youcook2,
    ),
    Recipe(
        name="tgif",
        queries=34101,
        videos=11360,
        files=f"{_TGIF} and splits/test.txt",
        folders=_TGIF_FOLDERS,
        protocol=(
            "The official test list; each of a picture's captions, mostly three, is a query. Papers test on "
            "fewer, since pictures have been taken down: 11,351 (Li et al., 2020) or 11,310 (tgif/hgr)."
        ),
        citation=_TGIF_CITATION,
        read=_tgif,
    ),
    Recipe(
        name="tgif/hgr",
        aliases=("tgif/chen",),
        queries=33951,
        videos=11310,
        files=f"{_TGIF} and tst_names.npy of the HGR release",
        folders=_TGIF_FOLDERS,
        protocol="The 11,310 test pictures that the HGR paper had; each of their captions is a query.",
        citation=f"{_TGIF_CITATION}; split: Chen, Zhao, Jin, Wu, CVPR 2020",
        read=partial(_tgif, list_name="tst_names.npy"),
    ),
    Recipe(
        name="msvd",
        aliases=("youtube2text",),
        videos=670,
        files=(
            f"{_MSVD} and {' or '.join(_MSVD_LISTS)}, or {_MSVD_MAPPING} (vid1301 to vid1970 are the test split)"
        ),
        folders=frozenset(("msvd", "youtube2text", "youtubeclips")),
        protocol=(
            "1,200 clips to train, 100 to validate, 670 to test; each English caption of a test clip is a query, "
            "some 41 a clip. Papers clean the captions differently, so their number is not checked. Some papers "
            "take all captions of a clip for one query instead."
        ),
        citation="Chen, Dolan: Collecting Highly Parallel Data for Paraphrase Evaluation, ACL 2011",
        read=_msvd,
    ),
)

FLICKR8K = Recipe(
    name="flickr8k",
    task="image retrieval",
    queries=5000,
    videos=1000,
    captions_per_video=5,
    files=f"{_FLICKR8K} and {_FLICKR8K_TEST}",
    folders=_FLICKR8K_FOLDERS,
    protocol=(
        "The 1,000 photographs of the official test list, five captions each, as published, in "
        "tokens. A photograph is a video of one frame, under its file name with .jpg."
    ),
    citation="Hodosh, Young, Hockenmaier: Framing Image Description as a Ranking Task, JAIR 2013",
    read=_flickr8k,
)

HGR_RELEASE = Recipe(
    name="hgr-release",
    aliases=("release",),
    split="tst",
    files=f"public_split/{_RELEASE_LISTS[0]} (else val, else trn) and annotation/RET/{_RELEASE}",
    folders=frozenset(),
    protocol=(
        "Any folder in the layout of the released code, the split tst, else val, else trn. Captions are "
        "parsed again; `hgrkit evaluate --release` uses the release's own role graphs."
    ),
    citation="Chen, Zhao, Jin, Wu: Fine-grained Video-Text Retrieval with HGR, CVPR 2020",
    read=_release,
)
