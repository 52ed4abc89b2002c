from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching.clip_similarities import mean_over_nodes
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.matcher import Matcher
from hgrkit.matching.packed import PackedLevel, alignment, packed_similarities

DIM = 24


def clips_of(*lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((length, DIM)).astype(np.float32) for length in lengths]


def nodes_of(count, seed=1):
    return np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)


def by_matcher(clips, nodes, counts, sharpness, fusion):
    """The same level scores from the matcher that works on tensors."""
    frames = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(clip) for clip in clips], batch_first=True)
    mask = torch.arange(frames.shape[1]) < torch.tensor([len(clip) for clip in clips])[:, None]
    node_mask = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    padded = torch.zeros(*node_mask.shape, DIM)
    padded[node_mask] = torch.from_numpy(nodes)
    none, no_mask = torch.zeros(len(counts), 0, DIM), torch.zeros(len(counts), 0, dtype=torch.bool)
    scores = Matcher(sharpness=sharpness, fusion=fusion)(
        VideoEmbeddings(event=frames[:, 0], action=frames, entity=frames, frame_mask=mask),
        TextEmbeddings(
            event=torch.zeros(len(counts), DIM),
            action=none,
            entity=padded,
            action_mask=no_mask,
            entity_mask=node_mask,
        ),
    )
    return scores.levels.entity.numpy()


@pytest.mark.parametrize("fusion", ["embed", "sim"])
@pytest.mark.parametrize("sharpness", [4.0, 9.0])
def test_scores_are_the_matcher_s(fusion, sharpness):
    clips, counts = clips_of(3, 1, 20, 3, 7, 1, 20), [2, 0, 3, 1]
    nodes = nodes_of(sum(counts))
    similarities = packed_similarities(PackedLevel.from_clips(clips), nodes, sharpness=sharpness, fusion=fusion)
    assert similarities.dtype == np.float32
    expected = by_matcher(clips, nodes, counts, sharpness, fusion)
    np.testing.assert_allclose(mean_over_nodes(similarities, counts), expected, atol=1e-6)


@pytest.mark.parametrize("fusion", ["embed", "sim"])
def test_many_clips_and_nodes_are_worked_on_in_chunks_without_a_difference(fusion):
    clips, nodes = clips_of(*[9] * 500), nodes_of(150)
    packed = PackedLevel.from_clips(clips)
    together = packed_similarities(packed, nodes, fusion=fusion)
    for column in (0, 63, 64, 149):
        alone = packed_similarities(packed, nodes[column : column + 1], fusion=fusion)
        np.testing.assert_allclose(together[:, column : column + 1], alone, atol=1e-6)
    first = packed_similarities(PackedLevel.from_clips(clips[:1]), nodes, fusion=fusion)
    np.testing.assert_allclose(together[:1], first, atol=1e-6)


def test_candidates_keep_their_scores_in_the_order_asked_for():
    packed, nodes = PackedLevel.from_clips(clips_of(3, 1, 20, 3, 7)), nodes_of(4)
    whole = packed_similarities(packed, nodes)
    chosen = packed.take([4, 0, 0, 2])
    assert len(chosen) == 4
    np.testing.assert_allclose(packed_similarities(chosen, nodes), whole[[4, 0, 0, 2]], atol=1e-6)


def test_a_candidate_that_is_none_is_refused():
    with pytest.raises(ShapeError, match=r"\[0, 2\)"):
        PackedLevel.from_clips(clips_of(3, 1)).take([2])


def test_zero_frames_and_zero_nodes_score_zero():
    packed = PackedLevel.from_clips([np.zeros((3, DIM), dtype=np.float32), *clips_of(2)])
    similarities = packed_similarities(packed, np.zeros((1, DIM)))
    assert not similarities.any()


def test_no_clip_and_no_node_are_answered():
    assert packed_similarities(PackedLevel.from_clips([]), nodes_of(2)).shape == (0, 2)
    assert packed_similarities(PackedLevel.from_clips(clips_of(2)), np.zeros((0, DIM))).shape == (1, 0)


def test_the_given_frames_are_left_as_they_were():
    clips = clips_of(4)
    before = clips[0].copy()
    packed_similarities(PackedLevel.from_clips(clips), nodes_of(2))
    np.testing.assert_array_equal(clips[0], before)


def test_alignment_is_the_matcher_s():
    (clip,), nodes = clips_of(6), nodes_of(3)
    weights, similarities = alignment(clip, nodes)
    frames = torch.from_numpy(clip)[None]
    mask = torch.ones(1, 3, dtype=torch.bool)
    expected = Matcher().align(
        VideoEmbeddings(
            event=frames[:, 0], action=frames, entity=frames, frame_mask=torch.ones(1, 6, dtype=torch.bool)
        ),
        TextEmbeddings(
            event=torch.zeros(1, DIM),
            action=torch.from_numpy(nodes)[None],
            entity=torch.from_numpy(nodes)[None],
            action_mask=mask,
            entity_mask=mask,
        ),
    )
    np.testing.assert_allclose(weights, expected.action[0, 0], atol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    cosines = nodes @ clip.T / np.linalg.norm(nodes, axis=1)[:, None] / np.linalg.norm(clip, axis=1)
    np.testing.assert_allclose(similarities, cosines, atol=1e-6)


@pytest.mark.parametrize("clips", [[np.zeros((0, DIM))], [np.zeros(DIM)], [np.zeros((1, 3)), np.zeros((1, 4))]])
def test_what_is_no_clip_is_refused(clips):
    with pytest.raises(ShapeError):
        PackedLevel.from_clips(clips)


def test_nodes_of_another_size_are_refused():
    with pytest.raises(ShapeError, match=r"\[P, 24\], got \[2, 5\]"):
        packed_similarities(PackedLevel.from_clips(clips_of(2)), np.zeros((2, 5)))


def test_an_unknown_fusion_is_refused():
    with pytest.raises(ConfigError, match="'max'"):
        packed_similarities(PackedLevel.from_clips(clips_of(2)), nodes_of(1), fusion="max")


def test_it_needs_no_torch():
    code = "import sys, hgrkit.matching.packed; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
