"""What else one could search with: the published form, MaxSim, and hnswlib with numpy; on one thread, float32.

All clips lie in memory, unpacked before anything is timed. `recall@10` is against the ten of an exact search.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import attrs
import hnswlib
import numpy as np
import numpy.typing as npt
import torch
from matcher import direct_level
from torch import Tensor
from torch.nn.functional import normalize

from hgrkit.library import Library, QueryEmbeddings, SearchSettings

__all__ = ["compare_others"]

K, SEED = 10, 0
RERANKED, PUBLISHED_CLIPS = 500, 200

Level = Callable[[Tensor, Tensor], Tensor]


@attrs.frozen(eq=False)
class Packed:
    """V clips of F frames each in tensors, event [V, D], action and entity [V, F, D]."""

    event: Tensor
    action: Tensor
    entity: Tensor

    @classmethod
    def of(cls, library: Library) -> Packed:
        """Read all clips."""
        snapshot = library.snapshot()
        clips = snapshot.clips(range(len(snapshot.clip_keys)))
        event, action, entity = (
            torch.from_numpy(np.stack([getattr(clip, level) for clip in clips]))
            for level in ("event", "action", "entity")
        )
        return cls(normalize(event, dim=-1), action, entity)

    def of_unit_length(self) -> Packed:
        """The same with frames of length one."""
        return Packed(self.event, normalize(self.action, dim=-1), normalize(self.entity, dim=-1))

    def rows(self, rows: Any) -> Packed:
        """Some of the clips."""
        return Packed(self.event[rows], self.action[rows], self.entity[rows])

    def scores(self, query: QueryEmbeddings, weights: Sequence[float], level: Level) -> Tensor:
        """Event, action and entity weighted as the model does, [V]."""
        event, action, entity = map(torch.from_numpy, (query.event, query.action, query.entity))
        parts = (
            self.event @ normalize(event, dim=-1),
            level(self.action, normalize(action, dim=-1)),
            level(self.entity, normalize(entity, dim=-1)),
        )
        total = sum((weight * part for weight, part in zip(weights, parts, strict=True)), torch.zeros(()))
        return total / sum(weights)


def published(frames: Tensor, nodes: Tensor) -> Tensor:
    """Every attended frame formed, as the paper has it: [V, F, D], [P, D] -> [V]."""
    real = torch.ones(frames.shape[:2], dtype=torch.bool)
    return direct_level(frames, real, nodes[None], torch.ones(1, len(nodes), dtype=torch.bool))[:, 0]


def max_sim(frames: Tensor, nodes: Tensor) -> Tensor:
    """Each node's best frame, the mean over nodes; frames of length one."""
    return (frames @ nodes.T).amax(dim=1).mean(dim=1)


def numpy_level(frames: Tensor, nodes: Tensor, sharpness: float) -> Tensor:
    """One level in numpy, straight from the equations."""
    values, units = frames.numpy(), nodes.numpy()
    cosines = values @ units.T / np.linalg.norm(values, axis=-1, keepdims=True)
    positive = np.maximum(cosines, 0)
    positive /= np.maximum(np.linalg.norm(positive, axis=1, keepdims=True), 1e-10)
    weights = np.exp(sharpness * positive)
    weights /= weights.sum(axis=1, keepdims=True)
    attended = weights.transpose(0, 2, 1) @ values
    attended /= np.linalg.norm(attended, axis=-1, keepdims=True)
    return torch.from_numpy(np.einsum("vpd,pd->vp", attended, units).mean(axis=1))


def compare_others(folder: str, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> dict[str, Any]:
    """Times of a question in each way, and what is found; questions have an action and an entity."""
    torch.set_num_threads(1)
    queries = [query for query in queries if len(query.action) and len(query.entity)]
    exhaustive = attrs.evolve(settings, exhaustive=True)
    with Library.open(folder) as library, torch.inference_mode():
        scores = torch.from_numpy(library.scores(queries, settings))
        ours = cpu_s([partial(library.search, query, K, settings=exhaustive) for query in queries])
        packed = Packed.of(library)
    right, weights, total = first_ten(scores.T), settings.level_weights, len(packed.event)
    few = packed.rows(slice(PUBLISHED_CLIPS))
    singles = [packed.rows(slice(row, row + 1)) for row in range(PUBLISHED_CLIPS)]
    found: dict[str, Any] = {"clips": total, "questions": len(queries)}
    with torch.inference_mode():
        times = {
            "hgrkit, exact": ours / total,
            "published form, a clip a call": cpu_s(
                [partial(each, singles, query, weights, published) for query in queries]
            )
            / PUBLISHED_CLIPS,
            f"published form, {PUBLISHED_CLIPS} clips a call": cpu_s(
                [partial(few.scores, query, weights, published) for query in queries]
            )
            / PUBLISHED_CLIPS,
        }
        theirs = torch.stack([few.scores(query, weights, published) for query in queries])
        found["largest_difference_from_published"] = float((theirs.T - scores[:PUBLISHED_CLIPS]).abs().max())
        index = hnswlib.Index(space="ip", dim=packed.event.shape[1])
        index.init_index(max_elements=total, M=16, ef_construction=200, random_seed=SEED)
        index.add_items(packed.event.numpy(), num_threads=1)
        rerank = [partial(reranked, index, packed, query, settings) for query in queries]
        seconds = cpu_s(rerank)
        found["hnswlib, numpy"] = {"re-ranked": RERANKED, **described(seconds, [work() for work in rerank], right)}
        units = packed.of_unit_length()
        del packed, few, singles
        scan = [partial(units.scores, query, weights, max_sim) for query in queries]
        times["MaxSim by torch"] = cpu_s(scan) / total
        found["MaxSim by torch"] = described(
            times["MaxSim by torch"] * total, first_ten([work() for work in scan]), right
        )
    found["us_a_clip"] = {name: round(1e6 * value, 2) for name, value in times.items()}
    found["over_hgrkit"] = {name: round(value / times["hgrkit, exact"], 1) for name, value in times.items()}
    return found


def each(singles: Sequence[Packed], query: QueryEmbeddings, weights: Sequence[float], level: Level) -> None:
    """Compare clips one by one."""
    for clip in singles:
        clip.scores(query, weights, level)


def reranked(index: Any, packed: Packed, query: QueryEmbeddings, settings: SearchSettings) -> set[int]:
    """The first ten of the nearest by hnswlib, compared by numpy."""
    unit = query.event / np.linalg.norm(query.event)
    rows: npt.NDArray[np.int64] = index.knn_query(unit, k=RERANKED, num_threads=1)[0][0].astype(np.int64)
    level = partial(numpy_level, sharpness=settings.sharpness)
    scores = packed.rows(torch.from_numpy(rows)).scores(query, settings.level_weights, level)
    return set(rows[scores.topk(K).indices.numpy()].tolist())


def first_ten(scores: Any) -> list[set[int]]:
    """The rows of the ten highest scores of each question."""
    return [set(own.topk(K).indices.tolist()) for own in scores]


def described(seconds: float, found: Sequence[set[int]], right: Sequence[set[int]]) -> dict[str, float]:
    """Time of a question, and how much of the right ten is found."""
    shares = [len(own & best) / K for own, best in zip(found, right, strict=True)]
    return {"ms_a_question": round(1000 * seconds, 2), "recall@10": round(statistics.fmean(shares), 4)}


def cpu_s(works: Sequence[Callable[[], object]]) -> float:
    """Median processor seconds of calls, after one that is not counted."""
    works[0]()
    times = []
    for work in works:
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return statistics.median(times)
