from __future__ import annotations

import math

import attrs
import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.matcher import Matcher

LENGTHS, ACTIONS, ENTITIES, DIM = (3, 1, 7, 20), (0, 2, 1), (4, 0, 6), 16


def prefix_mask(sizes):
    return torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]


def video_of(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    mask = prefix_mask(LENGTHS)
    frames = [torch.randn(*mask.shape, DIM, generator=generator, dtype=dtype) for _ in range(2)]
    event = torch.randn(len(LENGTHS), DIM, generator=generator, dtype=dtype)
    return VideoEmbeddings(event=event, action=frames[0], entity=frames[1], frame_mask=mask)


def text_of(seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    masks = prefix_mask(ACTIONS), prefix_mask(ENTITIES)
    action, entity = (torch.randn(*mask.shape, DIM, generator=generator, dtype=dtype) for mask in masks)
    event = torch.randn(len(ACTIONS), DIM, generator=generator, dtype=dtype)
    return TextEmbeddings(event=event, action=action, entity=entity, action_mask=masks[0], entity_mask=masks[1])


def cosine(left, right):
    return (left @ right / (left.norm() * right.norm())).item()


def slow_alignment(frames, node, sharpness):
    positive = [max(cosine(frame, node), 0.0) for frame in frames]
    length = max(math.sqrt(sum(value**2 for value in positive)), 1e-10)
    raised = [math.exp(sharpness * value / length) for value in positive]
    return [value / sum(raised) for value in raised]


def slow_similarity(frames, node, sharpness, fusion):
    weights = slow_alignment(frames, node, sharpness)
    if fusion == "sim":
        return sum(weight * cosine(frame, node) for weight, frame in zip(weights, frames, strict=True))
    return cosine(sum(weight * frame for weight, frame in zip(weights, frames, strict=True)), node)


def slow_level(video, text, level, sharpness, fusion):
    """Loops over clips, sentences and nodes, written from the equations."""
    rows = []
    for clip, frame_mask in zip(getattr(video, level), video.frame_mask, strict=True):
        row = []
        for nodes, mask in zip(getattr(text, level), getattr(text, f"{level}_mask"), strict=True):
            values = [slow_similarity(clip[frame_mask], node, sharpness, fusion) for node in nodes[mask]]
            row.append(sum(values) / len(values) if values else 0.0)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def first_clips(video, count):
    return attrs.evolve(
        video, **{name: getattr(video, name)[:count] for name in ("event", "action", "entity", "frame_mask")}
    )


@pytest.mark.parametrize("fusion", ["embed", "sim"])
@pytest.mark.parametrize("sharpness", [0.0, 4.0])
def test_pairs_are_the_diagonal_and_so_are_their_gradients(fusion, sharpness):
    matcher = Matcher(sharpness=sharpness, fusion=fusion)
    video, text = first_clips(video_of(), len(ACTIONS)), text_of()
    inputs = [level.requires_grad_() for each in (video, text) for level in (each.event, each.action, each.entity)]
    whole, pairs = matcher(video, text).levels, matcher.pairs(video, text)
    for level in ("event", "action", "entity"):
        torch.testing.assert_close(pairs[level], whole[level].diagonal(), atol=1e-12, rtol=0)
    expected = torch.autograd.grad(sum(level.diagonal().sum() for level in whole), inputs)
    found = torch.autograd.grad(sum(level.sum() for level in pairs), inputs)
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, atol=1e-10, rtol=0)


def test_what_padding_holds_never_changes_a_pair():
    video, text = first_clips(video_of(), len(ACTIONS)), text_of()
    expected = Matcher().pairs(video, text)
    entity = text.entity.masked_fill(~text.entity_mask[:, :, None], torch.inf)
    action = video.action.masked_fill(~video.frame_mask[:, :, None], 1e6)
    found = Matcher().pairs(attrs.evolve(video, action=action), attrs.evolve(text, entity=entity))
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, atol=0, rtol=0)


def test_pairs_need_one_sentence_a_clip():
    with pytest.raises(ShapeError, match="got 4 clips and 3 sentences"):
        Matcher().pairs(video_of(), text_of())


@pytest.mark.parametrize("fusion", ["embed", "sim"])
@pytest.mark.parametrize("sharpness", [0.0, 4.0, 9.0])
def test_scores_are_the_equations(fusion, sharpness):
    video, text = video_of(), text_of()
    scores = Matcher(sharpness=sharpness, fusion=fusion)(video, text)
    event = torch.tensor([[cosine(clip, sentence) for sentence in text.event] for clip in video.event])
    torch.testing.assert_close(scores.levels.event, event.double(), atol=1e-6, rtol=0)
    for level in ("action", "entity"):
        expected = slow_level(video, text, level, sharpness, fusion)
        torch.testing.assert_close(scores.levels[level], expected, atol=1e-12, rtol=0)
    mean = (scores.levels.event + scores.levels.action + scores.levels.entity) / 3
    torch.testing.assert_close(scores.fused, mean)


@pytest.mark.parametrize("fusion", ["embed", "sim"])
def test_float32_is_near_float64(fusion):
    matcher = Matcher(fusion=fusion)
    single = matcher(video_of(dtype=torch.float32), text_of(dtype=torch.float32))
    video, text = video_of(dtype=torch.float32), text_of(dtype=torch.float32)
    double = matcher(
        attrs.evolve(video, **{name: getattr(video, name).double() for name in ("event", "action", "entity")}),
        attrs.evolve(text, **{name: getattr(text, name).double() for name in ("event", "action", "entity")}),
    )
    torch.testing.assert_close(single.fused.double(), double.fused, atol=1e-6, rtol=0)


@pytest.mark.parametrize("fusion", ["embed", "sim"])
@pytest.mark.parametrize("chunk_elements", [1, 30, 100, 500])
def test_the_chunk_size_never_changes_a_score(fusion, chunk_elements):
    video, text = video_of(), text_of()
    whole = Matcher(fusion=fusion)(video, text)
    parts = Matcher(fusion=fusion, chunk_elements=chunk_elements)(video, text)
    torch.testing.assert_close(parts.fused, whole.fused, atol=1e-12, rtol=0)


@pytest.mark.parametrize("filling", [0.0, 1e4, math.nan])
def test_padding_never_changes_a_score(filling):
    video, text = video_of(), text_of()
    expected = Matcher()(video, text).fused
    frame_padding = ~video.frame_mask[:, :, None]
    video = attrs.evolve(
        video,
        action=video.action.masked_fill(frame_padding, filling),
        entity=video.entity.masked_fill(frame_padding, filling),
    )
    text = attrs.evolve(
        text,
        action=text.action.masked_fill(~text.action_mask[:, :, None], filling),
        entity=text.entity.masked_fill(~text.entity_mask[:, :, None], filling),
    )
    torch.testing.assert_close(Matcher()(video, text).fused, expected, atol=1e-12, rtol=0)


def test_neighbours_never_change_a_score():
    video, text = video_of(), text_of()
    together = Matcher()(video, text).fused
    for v in range(len(video)):
        for c in range(len(text)):
            clip = VideoEmbeddings(
                **{name: getattr(video, name)[v : v + 1] for name in ("event", "action", "entity", "frame_mask")}
            )
            names = ("event", "action", "entity", "action_mask", "entity_mask")
            sentence = TextEmbeddings(**{name: getattr(text, name)[c : c + 1] for name in names})
            alone = Matcher()(clip, sentence).fused
            torch.testing.assert_close(alone, together[v : v + 1, c : c + 1], atol=1e-12, rtol=0)


def test_the_order_of_nodes_and_frames_never_changes_a_score():
    video, text = video_of(), text_of()
    turned_text = attrs.evolve(text, entity=text.entity.flip(1), entity_mask=text.entity_mask.flip(1))
    turned_video = attrs.evolve(
        video,
        action=video.action.flip(1),
        entity=video.entity.flip(1),
        frame_mask=video.frame_mask.flip(1),
    )
    expected = Matcher()(video, text).fused
    torch.testing.assert_close(Matcher()(turned_video, turned_text).fused, expected, atol=1e-12, rtol=0)


def test_a_sentence_without_nodes_scores_zero_at_that_level():
    scores = Matcher()(video_of(), text_of())
    assert not scores.levels.action[:, 0].any()
    assert not scores.levels.entity[:, 1].any()


def test_no_node_at_all_scores_zero_and_keeps_gradients():
    video, text = video_of(), text_of()
    text = attrs.evolve(text, action=text.action[:, :0], action_mask=text.action_mask[:, :0])
    video.action.requires_grad_()
    scores = Matcher()(video, text)
    assert not scores.levels.action.any()
    scores.fused.sum().backward()
    assert video.action.grad is not None
    assert not video.action.grad.any()


def test_level_weights_are_scaled_to_sum_to_one():
    video, text = video_of(), text_of()
    scores = Matcher(level_weights=(2, 0, 6))(video, text)
    expected = scores.levels.event / 4 + scores.levels.entity * 3 / 4
    torch.testing.assert_close(scores.fused, expected)


def test_alignment_is_the_equation_and_sums_to_one_over_real_frames():
    video, text = video_of(), text_of()
    weights = Matcher().align(video, text).entity
    assert weights.shape == (4, 3, 6, 20)
    for v, length in enumerate(LENGTHS):
        for c, count in enumerate(ENTITIES):
            for p in range(count):
                frames = video.entity[v][:length]
                expected = torch.tensor(slow_alignment(frames, text.entity[c, p], 4.0), dtype=torch.float64)
                torch.testing.assert_close(weights[v, c, p, :length], expected, atol=1e-6, rtol=0)
            assert not weights[v, c, count:].any()
        assert not weights[v, :, :, length:].any()


def test_the_event_s_alignment_is_even():
    weights = Matcher().align(video_of(), text_of()).event
    assert weights.shape == (4, 3, 1, 20)
    assert weights[0, 2, 0, :4].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


@pytest.mark.parametrize("fusion", ["embed", "sim"])
def test_gradients_are_those_of_the_equations(fusion):
    video, text = video_of(), text_of()
    matcher = Matcher(fusion=fusion)

    def fused(action, entity, nodes):
        clips = attrs.evolve(video, action=action, entity=entity)
        return matcher(clips, attrs.evolve(text, entity=nodes)).fused

    inputs = [tensor.clone().requires_grad_() for tensor in (video.action, video.entity, text.entity)]
    assert torch.autograd.gradcheck(fused, inputs, nondet_tol=0, fast_mode=True)


def test_clips_that_fit_no_frame_give_finite_gradients():
    video, text = video_of(), text_of()
    opposite = -text.entity[0, 0].expand_as(video.entity).clone()
    opposite.requires_grad_()
    scores = Matcher()(attrs.evolve(video, entity=opposite), text)
    scores.fused.sum().backward()
    assert opposite.grad.isfinite().all()


def test_half_precision_is_scored_in_float32():
    video, text = video_of(dtype=torch.float16), text_of(dtype=torch.float16)
    scores = Matcher()(video, text)
    assert scores.fused.dtype == torch.float32
    assert scores.fused.isfinite().all()


@pytest.mark.parametrize(
    "settings",
    [
        {"sharpness": -1.0},
        {"fusion": "max"},
        {"level_weights": (1, 1)},
        {"level_weights": (0, 0, 0)},
        {"level_weights": (1, -1, 1)},
        {"chunk_elements": 0},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        Matcher(**settings)


def test_embeddings_of_different_size_are_refused():
    text = text_of()
    smaller = {name: getattr(text, name)[..., :8] for name in ("event", "action", "entity")}
    with pytest.raises(ShapeError, match="16 numbers at the event level, sentences 8"):
        Matcher()(video_of(), attrs.evolve(text, **smaller))


def test_a_clip_without_frames_is_refused():
    video = video_of()
    with pytest.raises(ShapeError, match="no real frame"):
        Matcher()(attrs.evolve(video, frame_mask=torch.zeros_like(video.frame_mask)), text_of())


def test_its_results_have_short_reprs():
    video, text = video_of(), text_of()
    assert repr(video) == "VideoEmbeddings(event=4x16, frames=4x20x16)"
    assert repr(text) == "TextEmbeddings(event=3x16, actions=3x2x16, entities=3x6x16)"
    assert repr(Matcher()(video, text)) == "Scores(clips=4, captions=3)"
