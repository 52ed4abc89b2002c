"""Zero-shot retrieval on 98 real MSVD clips: index them with a model, ask 1,634 captions, write what comes back.

The first 49 clips by name are for choosing, the rest for reporting; all 98 are candidates for every caption.

    python benchmarks/msvd.py --data DATA/msvd --out benchmarks/results/msvd.json
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import hgrkit
from hgrkit.evaluation.captions import CaptionEvaluation, evaluate_captions, read_captions
from hgrkit.evaluation.measures import DirectionMeasures

FOR_CHOOSING = 49


def measure(data: Path, model: str) -> dict[str, Any]:
    """Index the clips, evaluate, and report all clips and both halves."""
    captions = read_captions(data / "captions.json")
    with (
        tempfile.TemporaryDirectory() as folder,
        hgrkit.Retriever.create(Path(folder) / "library", model=model) as retriever,
    ):
        started = time.process_time()
        report = retriever.index(data / "videos")
        seconds = time.process_time() - started
        evaluation = evaluate_captions(captions, retriever.library.indexed_paths(), retriever.scores)
        manifest = retriever.library.manifest
    return {
        "command": "python benchmarks/msvd.py",
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "hgrkit": hgrkit.__version__,
        "model": {
            "name": manifest.model,
            "fingerprint": manifest.model_fingerprint,
            "sampling": manifest.sampling,
        },
        "index": {"videos": report.indexed, "decoded_frames": report.decoded_frames, "cpu_s": round(seconds, 1)},
        "all": evaluation.measures.to_dict(),
        **halves(evaluation, captions),
    }


def halves(evaluation: CaptionEvaluation, captions: Mapping[str, object]) -> dict[str, Any]:
    """Text to video for the captions of each half."""
    choosing = set(sorted(captions)[:FOR_CHOOSING])
    chosen = np.array([video in choosing for video in evaluation.videos])
    ranks = evaluation.measures.text_to_video.ranks
    return {
        "for choosing": DirectionMeasures(ranks=ranks[chosen]).to_dict(),
        "for reporting": DirectionMeasures(ranks=ranks[~chosen]).to_dict(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = json.dumps(measure(options.data, options.model), indent=1)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")
