"""VATEX: ten English captions for each clip of ten seconds."""

from __future__ import annotations

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_json, read_names
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe

__all__ = ["RECIPES"]

_FILE = "vatex_validation_v1.0.json"
_LISTS = ("tst_names.npy", "vatex_test_list.txt", "test_list.txt")


def _validation(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_FILE)
    videos, captions = [], []
    for position, record in enumerate(read_json(path, list)):
        try:
            name, texts = str(record["videoID"]), [text.strip() for text in record["enCap"]]
        except (AttributeError, KeyError, TypeError) as error:
            raise BenchmarkError(
                f"{path} must list {{videoID, enCap: [texts]}}; record {position} differs."
            ) from error
        videos.append(BenchmarkVideo(name=name))
        captions += [
            BenchmarkCaption(id=f"{name}#{number}", video=name, text=text) for number, text in enumerate(texts)
        ]
    return Annotations(videos=videos, captions=captions, files=(path,))


def _test(folder: AnnotationFolder) -> Annotations:
    found = _validation(folder)
    path = folder.require(*_LISTS)
    names = read_names(path)
    kept = set(names)
    return Annotations(
        videos=[BenchmarkVideo(name=name) for name in names],
        captions=[caption for caption in found.captions if caption.video in kept],
        files=(*found.files, path),
    )


_CITATION = "Wang, Wu, Chen, Li, Wang, Wang: VATEX, ICCV 2019"

RECIPES = (
    Recipe(
        name="vatex",
        aliases=("vatex/hgr", "vatex/1500"),
        task="retrieval",
        split="test",
        queries=15000,
        videos=1500,
        captions_per_video=10,
        files=f"{_FILE} and the list of the 1,500 test videos: {' or '.join(_LISTS)}",
        folders=frozenset(("vatex",)),
        protocol=(
            "The split of the HGR paper, which most papers took over: 25,991 clips to train; half of the 3,000 "
            "public validation clips to validate, the other half to test, since the test captions were not "
            "public. Each of the ten English captions is a query."
        ),
        citation=f"{_CITATION}; split: Chen, Zhao, Jin, Wu, CVPR 2020",
        read=_test,
    ),
    Recipe(
        name="vatex/val",
        task="retrieval",
        split="val",
        queries=30000,
        videos=3000,
        captions_per_video=10,
        files=_FILE,
        folders=frozenset(("vatex",)),
        protocol="All 3,000 public validation clips; each of the ten English captions is a query.",
        citation=_CITATION,
        read=_validation,
    ),
)
