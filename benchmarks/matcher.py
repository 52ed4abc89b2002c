"""The matcher's Gram form against the direct form of the paper: time, and the largest difference of a score.

    python benchmarks/matcher.py --out benchmarks/results/matcher.json

The direct form makes the attended frame of every clip and node. Both are timed in training (forward and backward
of a batch of pairs) and in evaluation (all clips against all captions); the packed form, without torch, on one
query.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import torch
from result_file import arguments, described, write_result
from timing import timed
from torch import Tensor

from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.matcher import Matcher
from hgrkit.matching.packed import PackedLevel, packed_similarities

SEED = 0
EPSILON = 1e-10
SHARPNESS = 4.0
MAX_FRAMES, MAX_ACTIONS, MAX_ENTITIES = 20, 4, 6

Result = dict[str, float]


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


def compare_query(clips: int, dim: int, repeats: int) -> Result:
    """One level of one query: the packed form against the direct form in torch."""
    video, text = random_problem(clips, 1, dim)
    frames = [video.entity[row][video.frame_mask[row]].numpy() for row in range(clips)]
    packed, nodes = PackedLevel.from_clips(frames), text.entity[0]
    node_mask = torch.ones(1, len(nodes), dtype=torch.bool)
    with torch.inference_mode():
        expected = direct_level(video.entity, video.frame_mask, nodes[None], node_mask)[:, 0].numpy()
        found = packed_similarities(packed, nodes.numpy()).mean(axis=1)
        return {
            "clips": clips,
            "nodes": len(nodes),
            "direct_s": seconds(
                lambda: direct_level(video.entity, video.frame_mask, nodes[None], node_mask), repeats
            ),
            "gram_s": seconds(lambda: packed_similarities(packed, nodes.numpy()), repeats),
            "largest_difference": float(np.abs(found - expected).max()),
        }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--library", type=int, default=5000, help="clips that one query is compared with")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    results = {
        "training": compare_training(options.batch, options.dim, options.repeats),
        "evaluation": compare_evaluation(options.clips, options.dim, options.repeats),
        "query": compare_query(options.library, options.dim, options.repeats),
    }
    for result in results.values():
        result["ratio"] = result["direct_s"] / result["gram_s"]
    report = {
        "benchmark": "matcher",
        **described(options, seed=SEED),
        "embed_dim": options.dim,
        "threads": options.threads,
        "results": results,
    }
    write_result(report, options.out)


if __name__ == "__main__":
    main()
