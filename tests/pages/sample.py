"""A sample explanation: a hand-made result over small videos, with names and words that try to be markup."""

from __future__ import annotations

import av
import numpy as np

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.results import Hit, Phrase, SearchResult

NAME = "<img src=x onerror=alert(1)> \"two\" & 'one' 😀.mp4"

MOMENT_S = (0.5, 2.0)

GRAPH = RoleGraph.from_dict(
    {
        "tokens": ["a", "dog", "chases", "</script><b>", "and", "barks"],
        "nodes": [
            {"id": 3, "role": "V", "span": [2, 3]},
            {"id": 5, "role": "ARG0", "span": [0, 2]},
            {"id": 8, "role": "ARG1", "span": [3, 4]},
            {"id": 9, "role": "V", "span": [5, 6]},
        ],
        "edges": [[3, 5, "ARG0"], [3, 8, "ARG1"], [9, 5, "ARG0"]],
    }
)


def write_video(path, seconds, size=(96, 64)):
    """Brighter from second to second, ten frames a second."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(10 * seconds):
            picture = np.full((size[1], size[0], 3), 20 + 40 * (number // 10), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def phrase(node_id, text, role, level, similarity, weights):
    times_s = tuple(0.25 + 0.5 * number for number in range(len(weights)))
    return Phrase(
        node_id=node_id,
        text=text,
        role=role,
        level=level,
        similarity=similarity,
        times_s=times_s,
        weights=tuple(weights),
        inside=MOMENT_S[0] <= times_s[weights.index(max(weights))] <= MOMENT_S[1],
    )


def result_over(*videos, num_frames=8):
    """A result with one hit a video: of two actions and two entities, the last of which is barely there."""
    weights = [[0.5 / (num_frames - 1)] * num_frames for _ in range(4)]
    for place, row in enumerate(weights):
        row[2 * place + 1] = 0.5
    phrases = (
        phrase(3, "chases", "V", "action", 0.41234567, weights[0]),
        phrase(5, "a dog", "ARG0", "entity", 0.5, weights[1]),
        phrase(8, "</script><b>", "ARG1", "entity", -0.125, weights[2]),
        phrase(9, "barks", "V", "action", 0.3, weights[3]),
    )
    hits = tuple(
        Hit(
            rank=rank,
            video=str(video),
            start_s=MOMENT_S[0],
            end_s=MOMENT_S[1],
            score=0.4 / rank,
            levels=PerLevel(event=0.3, action=0.35617283, entity=0.1875),
            phrases=phrases,
        )
        for rank, video in enumerate(videos, 1)
    )
    return SearchResult(query=GRAPH.text, graph=GRAPH, hits=hits, elapsed_ms=1.25)
