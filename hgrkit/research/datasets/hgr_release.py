"""A data set as the released HGR code keeps it: a list of names and captions by video."""

from __future__ import annotations

from hgrkit.errors import BenchmarkError
from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_json, read_names
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES"]

_LISTS = ("tst_names.npy", "val_names.npy", "trn_names.npy")
_CAPTIONS = "ref_captions.json"


def _read(folder: AnnotationFolder) -> Annotations:
    names_path, captions_path = folder.require(*_LISTS), folder.require(_CAPTIONS)
    names, texts_of = read_names(names_path), read_json(captions_path, dict)
    try:
        captions = [
            BenchmarkCaption(id=f"{name}#{number}", video=name, text=text.strip())
            for name in dict.fromkeys(names)
            for number, text in enumerate(texts_of.get(name, ()))
        ]
    except (AttributeError, TypeError) as error:
        raise BenchmarkError(f"{captions_path} must hold {{name: [captions]}}; it does not ({error}).") from error
    silent = [name for name in names if name not in texts_of]
    return Annotations(
        videos=[BenchmarkVideo(name=name) for name in names],
        captions=captions,
        files=(names_path, captions_path),
        split=names_path.name.removesuffix("_names.npy"),
        problems=[f"videos that {_CAPTIONS} does not know: {listed(silent)}"] if silent else [],
    )


RECIPES = (
    Recipe(
        name="hgr-release",
        aliases=("release",),
        task="retrieval",
        split="tst",
        queries=None,
        videos=None,
        files=f"public_split/{_LISTS[0]} (else val, else trn) and annotation/RET/{_CAPTIONS}",
        folders=frozenset(),
        protocol=(
            "Any folder in the layout of the released code, the split tst, else val, else trn. Captions are "
            "parsed anew; `hgrkit evaluate --release` uses the release's own role graphs."
        ),
        citation="Chen, Zhao, Jin, Wu: Fine-grained Video-Text Retrieval with HGR, CVPR 2020",
        read=_read,
    ),
)
