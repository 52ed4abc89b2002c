"""TGIF: animated pictures from Tumblr; one caption each in training, three in the test split."""

from __future__ import annotations

from pathlib import PurePosixPath

from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_lines, read_names
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES"]

_CAPTIONS = "tgif-v1.0.tsv"
_CITATION = "Li, Song, Cao, Tetreault, Goldberg, Jaimes, Luo: TGIF, CVPR 2016"
_FOLDERS = frozenset(("tgif", "tgifrelease"))


def _official(folder: AnnotationFolder) -> Annotations:
    return _read(folder, "test.txt")


def _of_the_hgr_paper(folder: AnnotationFolder) -> Annotations:
    return _read(folder, "tst_names.npy")


def _read(folder: AnnotationFolder, list_name: str) -> Annotations:
    captions_path, names_path = folder.require(_CAPTIONS), folder.require(list_name)
    names = [_name(url) for url in read_names(names_path)]
    of_video: dict[str, list[BenchmarkCaption]] = {name: [] for name in names}
    broken = []
    for number, line in read_lines(captions_path):
        url, tab, text = line.partition("\t")
        own = of_video.get(_name(url))
        if not tab:
            broken.append(str(number))
        elif own is not None:
            own.append(BenchmarkCaption(id=f"{_name(url)}#{len(own)}", video=_name(url), text=text.strip()))
    return Annotations(
        videos=[BenchmarkVideo(name=name) for name in names],
        captions=[caption for name in dict.fromkeys(names) for caption in of_video[name]],
        files=(captions_path, names_path),
        problems=[f"lines of {captions_path.name} that cannot be read: {listed(broken)}"] if broken else [],
    )


def _name(url: str) -> str:
    """A picture's name: the last part of its address, without `.gif`.

    >>> _name("https://38.media.tumblr.com/9f6c25cc/tumblr_mevmyaKtDf1rgvhr8o1_500.gif")
    'tumblr_mevmyaKtDf1rgvhr8o1_500'
    """
    return PurePosixPath(url).name.removesuffix(".gif")


RECIPES = (
    Recipe(
        name="tgif",
        task="retrieval",
        split="test",
        queries=34101,
        videos=11360,
        files=f"{_CAPTIONS} and splits/test.txt",
        folders=_FOLDERS,
        protocol=(
            "The official test list; each of a picture's captions, mostly three, is a query. Papers test on "
            "fewer, since pictures have been taken down: 11,351 (Li et al., 2020) or 11,310 (tgif/hgr)."
        ),
        citation=_CITATION,
        read=_official,
    ),
    Recipe(
        name="tgif/hgr",
        aliases=("tgif/chen",),
        task="retrieval",
        split="test",
        queries=33951,
        videos=11310,
        files=f"{_CAPTIONS} and tst_names.npy of the HGR release",
        folders=_FOLDERS,
        protocol="The 11,310 test pictures that the HGR paper had; each of their captions is a query.",
        citation=f"{_CITATION}; split: Chen, Zhao, Jin, Wu, CVPR 2020",
        read=_of_the_hgr_paper,
    ),
)
