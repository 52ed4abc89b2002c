"""Calibrate the default model: how likely its hits are right, on clips that it was not trained on.

Two sets: the videos of MSR-VTT's official train split that there are frames of, and the photographs of Flickr8k's
dev split. Neither was trained on; the model's recipe was chosen on the latter. Asked are five captions of each,
and short questions that all captions make. What is written into the model folder are maps of 512 numbers to 128, a
thousand clips and five hundred captions as such numbers, and some weights.

    python scripts/calibrate.py --data DATA --out hgrkit_model_mini/model
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cache_file import cache_file, file_digest
from PIL import Image
from rich.progress import track

import hgrkit
from hgrkit.model.loaded import LoadedModel
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, frame_size_of, load_frame_encoder

__all__ = ["calibration_data", "captioned_photographs", "captioned_videos", "main"]

PICTURES_AT_ONCE = 32

Features = Mapping[str, npt.NDArray[np.float32]]


def captioned_videos(data: Path, part: str, encoder: FrameEncoder, cache: Path) -> hgrkit.CaptionedClips:
    """MSR-VTT's videos of one part (`train`, `val`, `test`), their captions in an order drawn by its number."""
    file = "test" if part == "test" else "train"
    lines = (data / f"msrvtt_frames/{file}.jsonl").read_text(encoding="utf-8").splitlines()
    videos = [video for video in map(json.loads, lines) if video["part"] == part]
    frames = {video["video"]: video["frames"] for video in videos}
    said = {}
    for video in videos:
        different = sorted(set(video["captions"]))
        rng = np.random.default_rng(int(video["video"].removeprefix("video")))
        said[video["video"]] = [different[place] for place in rng.permutation(len(different))]
    features = _features(data / f"msrvtt_frames/frames_{file}.zip", frames, encoder, cache)
    return hgrkit.CaptionedClips.of(said, features, parser="lark")


def captioned_photographs(data: Path, part: str, encoder: FrameEncoder, cache: Path) -> hgrkit.CaptionedClips:
    """Flickr8k's photographs of one official split, as clips of one frame."""
    listed = (data / f"flickr8k/Flickr_8k.{part}Images.txt").read_text(encoding="utf-8").split()
    said: dict[str, list[str]] = {name: [] for name in listed}
    with (data / "flickr8k/Flickr8k.token.txt").open(encoding="utf-8") as file:
        for name, caption in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if (name := name.split("#")[0]) in said:
                said[name].append(caption)
    archive = data / "flickr8k/images_224.zip"
    with zipfile.ZipFile(archive) as opened:
        files = {Path(name).name: name for name in opened.namelist()}
    frames = {name: [files[name]] for name in listed if name in files}
    features = _features(archive, frames, encoder, cache)
    return hgrkit.CaptionedClips.of({name: said[name] for name in frames}, features, parser="lark")


def calibration_data(data: Path, encoder: FrameEncoder, cache: Path) -> dict[str, hgrkit.CaptionedClips]:
    """What the model is calibrated on."""
    return {
        "MSR-VTT train": captioned_videos(data, "train", encoder, cache),
        "Flickr8k dev": captioned_photographs(data, "dev", encoder, cache),
    }


def _features(archive: Path, frames: Mapping[str, Sequence[str]], encoder: FrameEncoder, cache: Path) -> Features:
    """Features of the pictures of each clip, [F, K], computed once."""
    cached = cache_file(cache, "calibration.npz", encoder.fingerprint, file_digest(archive), frames)
    if not cached.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        names = [name for own in frames.values() for name in own]
        np.savez(cached, features=np.concatenate(list(_encoded(archive, names, encoder))).astype(np.float16))
    with np.load(cached) as stored:
        features = stored["features"].astype(np.float32)
    ends = np.cumsum([len(own) for own in frames.values()])
    return dict(zip(frames, np.split(features, ends[:-1]), strict=True))


def _encoded(archive: Path, names: Sequence[str], encoder: FrameEncoder) -> Iterator[npt.NDArray[np.float32]]:
    height, width = frame_size_of(encoder)
    with zipfile.ZipFile(archive) as opened:
        for first in track(range(0, len(names), PICTURES_AT_ONCE), description=archive.stem):
            pictures = [
                Image.open(io.BytesIO(opened.read(name))).convert("RGB").resize((width, height))
                for name in names[first : first + PICTURES_AT_ONCE]
            ]
            yield encode_frames(encoder, np.stack([np.asarray(picture) for picture in pictures]))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k/ and msrvtt_frames/")
    parser.add_argument("--out", type=Path, required=True, help="the model folder")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="what is computed once")
    options = parser.parse_args()
    encoder = load_frame_encoder(LoadedModel.load(options.out).config.origin.frame_encoder, device="cpu")
    print(hgrkit.calibrate(options.out, calibration_data(options.data, encoder, options.cache)))


if __name__ == "__main__":
    main()
