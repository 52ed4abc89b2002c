"""TVR: sentences with moments in clips of television shows."""

from __future__ import annotations

import json

from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_lines
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES"]

_FILE = "tvr_val_release.jsonl"
_IDS = range(87175, 98070)


def _read(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_FILE)
    captions, lengths, broken = [], {}, []
    for number, line in read_lines(path):
        try:
            record = json.loads(line)
            start_s, end_s = map(float, record["ts"])
            caption = BenchmarkCaption(
                id=str(record["desc_id"]),
                video=record["vid_name"],
                text=record["desc"].strip(),
                start_s=start_s,
                end_s=end_s,
            )
            lengths[caption.video] = float(record["duration"])
        except (AttributeError, KeyError, TypeError, ValueError):
            broken.append(str(number))
            continue
        captions.append(caption)
    missing = sorted({str(number) for number in _IDS} - {caption.id for caption in captions})
    return Annotations(
        videos=[BenchmarkVideo(name=name, duration_s=duration_s) for name, duration_s in lengths.items()],
        captions=captions,
        files=(path,),
        problems=[
            *([f"lines of {path.name} that cannot be read: {listed(broken)}"] if broken else []),
            *([f"desc_id that are missing: {listed(missing)}"] if missing else []),
        ],
    )


RECIPES = (
    Recipe(
        name="tvr",
        task="partially relevant retrieval",
        split="val",
        queries=10895,
        videos=2179,
        captions_per_video=5,
        files=_FILE,
        folders=frozenset(("tvr", "tvretrieval")),
        protocol=(
            "Every sentence of the validation split is a query and describes a moment; its clip is right. The "
            "test split's annotations are not public. Sentences of the types t and vt (964 and 1,834) lean "
            "on subtitles, which hgrkit does not read; they count all the same."
        ),
        citation="Lei, Yu, Berg, Bansal: TVR, ECCV 2020; partially relevant retrieval: Dong et al., ACM MM 2022",
        read=_read,
    ),
)
