"""Charades-STA: sentences with moments in untrimmed videos of daily life."""

from __future__ import annotations

import csv
import re

from hgrkit.research.datasets.annotation_folder import AnnotationFolder, read_lines
from hgrkit.research.datasets.benchmark import BenchmarkCaption, BenchmarkVideo
from hgrkit.research.datasets.recipe import Annotations, Recipe, listed

__all__ = ["RECIPES"]

_FILE = "charades_sta_test.txt"
_LENGTHS = "Charades_v1_test.csv"
_LINE = re.compile(r"(\S+)\s+(-?[\d.]+)\s+(-?[\d.]+)\s*##(.*)")


def _read(folder: AnnotationFolder) -> Annotations:
    path = folder.require(_FILE)
    captions, broken = [], []
    for number, line in read_lines(path):
        match = _LINE.fullmatch(line)
        if match is None:
            broken.append(str(number))
            continue
        video, start_s, end_s, text = match.groups()
        captions.append(
            BenchmarkCaption(
                id=f"{video}:{start_s}-{end_s}:{text.strip()}",
                video=video,
                text=text.strip(),
                start_s=float(start_s),
                end_s=float(end_s),
            )
        )
    lengths, files = {}, [path]
    if (table := folder.find(_LENGTHS)) is not None:
        files.append(table)
        lengths = {
            row["id"]: float(row["length"]) for row in csv.DictReader(line for _, line in read_lines(table))
        }
    return Annotations(
        videos=[
            BenchmarkVideo(name=name, duration_s=lengths.get(name))
            for name in dict.fromkeys(caption.video for caption in captions)
        ],
        captions=captions,
        files=files,
        problems=[f"lines of {path.name} that cannot be read: {listed(broken)}"] if broken else [],
    )


RECIPES = (
    Recipe(
        name="charades-sta",
        aliases=("charades",),
        task="partially relevant retrieval",
        split="test",
        queries=3720,
        videos=1334,
        files=f"{_FILE}; {_LENGTHS} for the videos' lengths, if there is one",
        folders=frozenset(("charadessta", "charades")),
        protocol=(
            "Every line of the test file is a query and describes a moment; its untrimmed video is right. The "
            "1,334 videos with a sentence are the candidates."
        ),
        citation=(
            "Gao, Sun, Yang, Nevatia: TALL, ICCV 2017; partially relevant retrieval: Dong et al., ACM MM 2022"
        ),
        read=_read,
    ),
)
