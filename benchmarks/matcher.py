"""The matcher's Gram form against the direct form of the paper: time, and the largest difference of a score.

    OPENBLAS_NUM_THREADS=1 python benchmarks/matcher.py --out benchmarks/results/matcher.json

The direct form makes the attended frame of every clip and node. Both are timed in training (forward and backward
of a batch of pairs) and in evaluation (all clips against all captions).

Without torch, one level of one query is compared with stored clips: by numpy and by the compiled kernel, beside
the direct form in torch, all on one thread; and a query with all events, beside a product of float32. These are
times of the processor, which other programs change less than those of the clock.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from result_file import arguments, described, write_result
from timing import timed
from torch import Tensor

from hgrkit.matching.clip_similarities import clip_similarities, event_similarities
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.kernel import VARIABLE, kernel_names
from hgrkit.matching.matcher import Matcher

SEED = 0
EPSILON = 1e-10
SHARPNESS = 4.0
MAX_FRAMES, MAX_ACTIONS, MAX_ENTITIES = 20, 4, 6

NODES_OF_A_LEVEL = (1, 3)
SINGLE_CLIPS = 200

Result = dict[str, float]
FloatArray = npt.NDArray[np.float32]


def direct_level(frames: Tensor, frame_mask: Tensor, nodes: Tensor, node_mask: Tensor) -> Tensor:
    """One level with every attended frame formed: [V, F, D], [C, P, D] -> [V, C]."""
    unit_frames = frames / frames.norm(dim=-1, keepdim=True).clamp(min=EPSILON)
    unit_nodes = nodes / nodes.norm(dim=-1, keepdim=True).clamp(min=EPSILON)
    cosines = torch.einsum("vfd,cpd->vcfp", unit_frames, unit_nodes)
    padding = ~frame_mask[:, None, :, None]
    positive = cosines.masked_fill(padding, 0).relu()
    positive = positive / torch.linalg.vector_norm(positive, dim=2, keepdim=True).clamp(min=EPSILON)
    weights = (SHARPNESS * positive).masked_fill(padding, -1e18).softmax(dim=2)
    attended = torch.einsum("vcfp,vfd->vcpd", weights, frames)
    attended = attended / attended.norm(dim=-1, keepdim=True).clamp(min=EPSILON)
    similarities = torch.einsum("vcpd,cpd->vcp", attended, unit_nodes) * node_mask
    return similarities.sum(dim=2) / node_mask.sum(dim=1).clamp(min=1)


def direct(video: VideoEmbeddings, text: TextEmbeddings) -> Tensor:
    """The fused score in the direct form."""
    event = (
        torch.nn.functional.normalize(video.event, dim=-1) @ torch.nn.functional.normalize(text.event, dim=-1).T
    )
    action = direct_level(video.action, video.frame_mask, text.action, text.action_mask)
    entity = direct_level(video.entity, video.frame_mask, text.entity, text.entity_mask)
    return (event + action + entity) / 3


def random_problem(clips: int, captions: int, dim: int) -> tuple[VideoEmbeddings, TextEmbeddings]:
    """Ragged clips of 5 to 20 frames, and sentences with up to 4 actions and 6 entities."""
    generator = torch.Generator().manual_seed(SEED)

    def vectors(*shape: int) -> Tensor:
        return torch.randn(*shape, dim, generator=generator)

    def mask(rows: int, low: int, width: int) -> Tensor:
        sizes = torch.randint(low, width + 1, (rows, 1), generator=generator)
        return torch.arange(width) < sizes

    action_mask, entity_mask = mask(captions, 0, MAX_ACTIONS), mask(captions, 0, MAX_ENTITIES)
    video = VideoEmbeddings(
        event=vectors(clips),
        action=vectors(clips, MAX_FRAMES),
        entity=vectors(clips, MAX_FRAMES),
        frame_mask=mask(clips, 5, MAX_FRAMES),
    )
    text = TextEmbeddings(
        event=vectors(captions),
        action=vectors(captions, MAX_ACTIONS),
        entity=vectors(captions, MAX_ENTITIES),
        action_mask=action_mask,
        entity_mask=entity_mask,
    )
    return video, text


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Median time of a call, after one that is not counted."""
    function()
    return statistics.median(timed(function)[1].wall_s for _ in range(repeats))


def compare_training(batch: int, dim: int, repeats: int) -> Result:
    video, text = random_problem(batch, batch, dim)
    leaves = [video.event, video.action, video.entity, text.event, text.action, text.entity]
    for leaf in leaves:
        leaf.requires_grad_()

    def backward(scores: Tensor) -> None:
        torch.autograd.grad(scores.square().sum(), leaves)

    matcher = Matcher()
    return {
        "pairs": batch,
        "direct_s": seconds(lambda: backward(direct(video, text)), repeats),
        "gram_s": seconds(lambda: backward(matcher(video, text).fused), repeats),
        "largest_difference": float((matcher(video, text).fused - direct(video, text)).detach().abs().max()),
    }


def compare_evaluation(clips: int, dim: int, repeats: int) -> Result:
    video, text = random_problem(clips, clips, dim)
    matcher = Matcher()
    with torch.inference_mode():
        return {
            "clips": clips,
            "captions": clips,
            "direct_s": seconds(lambda: direct(video, text), repeats),
            "gram_s": seconds(lambda: matcher(video, text), repeats),
            "largest_difference": float((matcher(video, text).fused - direct(video, text)).abs().max()),
        }


def interleaved(ways: Mapping[str, Callable[[], object]], repeats: int) -> Result:
    """Median seconds of the processor for several calls that take turns, so that nothing slows down one alone."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if turn:  # the first is not counted
                times[name].append(time.process_time() - start)
    return {name: statistics.median(measured) for name, measured in times.items()}


def with_kernel(name: str, way: Callable[[], object]) -> Callable[[], object]:
    """The same call with another kernel."""

    def call() -> object:
        os.environ[VARIABLE] = name
        return way()

    return call


def compare_clips(clips: int, dim: int, num_nodes: int, repeats: int) -> dict[str, Any]:
    """One level of one query, microseconds a clip, all on one thread.

    `direct` has the clips in padded tensors, `direct, a clip a call` without padding; the others are
    `clip_similarities`, straight on float16.
    """
    video, _ = random_problem(clips, 1, dim)
    nodes = torch.randn(1, num_nodes, dim, generator=torch.Generator().manual_seed(SEED))
    node_mask = torch.ones(1, num_nodes, dtype=torch.bool)
    counts = video.frame_mask.sum(dim=1).numpy()
    starts, frames = np.cumsum(counts) - counts, video.entity[video.frame_mask].numpy().astype(np.float16)
    stored = [frames[start : start + count] for start, count in zip(starts, counts, strict=True)]
    singles = [torch.from_numpy(clip.astype(np.float32))[None] for clip in stored[:SINGLE_CLIPS]]
    masks = [torch.ones(1, clip.shape[1], dtype=torch.bool) for clip in singles]
    vectors = nodes[0].numpy()

    def one_by_one() -> None:
        for clip, mask in zip(singles, masks, strict=True):
            direct_level(clip, mask, nodes, node_mask)

    def straight() -> FloatArray:
        return clip_similarities(frames, starts, counts, vectors, num_threads=1)

    ways = {
        "direct": lambda: direct_level(video.entity, video.frame_mask, nodes, node_mask),
        "direct, a clip a call": one_by_one,
        **{name: with_kernel(name, straight) for name in kernel_names()},
    }
    with torch.inference_mode():
        times = interleaved(ways, repeats)
        expected = direct_level(video.entity.half().float(), video.frame_mask, nodes, node_mask)[:, 0].numpy()
    micro = {
        name: 1e6 * value / (len(singles) if name == "direct, a clip a call" else clips)
        for name, value in times.items()
    }
    fastest = micro[kernel_names()[0]]
    found = {name: with_kernel(name, straight)() for name in kernel_names()}
    return {
        "clips": clips,
        "nodes": num_nodes,
        "us_a_clip": {name: round(value, 3) for name, value in micro.items()},
        "ratio_to_fastest": {name: round(value / fastest, 1) for name, value in micro.items()},
        "largest_difference": {
            name: float(np.abs(own.mean(axis=1) - expected).max()) for name, own in found.items()
        },
    }


def compare_events(clips: int, dim: int, repeats: int) -> dict[str, Any]:
    """All events against a query's, milliseconds: float16 as stored, and a product of float32 of length one."""
    rng = np.random.default_rng(SEED)
    events = rng.standard_normal((clips, dim), np.float32)
    events /= np.linalg.norm(events, axis=1, keepdims=True)
    query, stored = events[0].copy(), events.astype(np.float16)

    def straight() -> FloatArray:
        return event_similarities(stored, query, num_threads=1)

    ways = {name: with_kernel(name, straight) for name in kernel_names()}
    times = interleaved({"float32 product": lambda: events @ query, **ways}, repeats)
    return {"clips": clips, "ms": {name: round(1e3 * value, 3) for name, value in times.items()}}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--library", type=int, default=2000, help="clips that one query is compared with")
    parser.add_argument("--events", type=int, nargs="*", default=[10_000, 200_000], help="events of a library")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {
        "training": compare_training(options.batch, options.dim, options.repeats),
        "evaluation": compare_evaluation(options.clips, options.dim, options.repeats),
    }
    for result in results.values():
        result["ratio"] = result["direct_s"] / result["gram_s"]
    torch.set_num_threads(1)
    results["query"] = [
        compare_clips(options.library, options.dim, nodes, options.repeats) for nodes in NODES_OF_A_LEVEL
    ]
    results["events"] = [compare_events(clips, options.dim, options.repeats) for clips in options.events]
    report = {
        "benchmark": "matcher",
        **described(options, seed=SEED),
        "embed_dim": options.dim,
        "threads": options.threads,
        "threads_of_numpy": os.environ.get("OPENBLAS_NUM_THREADS"),
        "results": results,
    }
    write_result(report, options.out)


if __name__ == "__main__":
    main()
