from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.matching import clip_similarities as module
from hgrkit.matching.clip_similarities import (
    clip_alignment,
    clip_similarities,
    event_similarities,
    kernel_name,
    mean_over_nodes,
)
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.kernel import VARIABLE, chosen_kernel, kernel_names, store_halves
from hgrkit.matching.matcher import Matcher

DIM = 24


@pytest.fixture(autouse=True, params=kernel_names())
def kernel(request, monkeypatch):
    """Every test runs with every kernel that runs here."""
    monkeypatch.setenv(VARIABLE, request.param)
    return request.param


@pytest.fixture(params=["float16", "float32"])
def dtype(request):
    return np.dtype(request.param)


def rows_of(count, dim=DIM, seed=0, dtype=np.float16):
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(dtype)


def nodes_of(count, dim=DIM, seed=1):
    return rows_of(count, dim, seed, np.float32)


def laid_out(counts):
    """Clips end to end: starts and counts."""
    return np.cumsum(counts) - counts, np.asarray(counts)


def by_matcher(frames, starts, counts, nodes, *, sharpness=4.0, fusion="embed"):
    """Similarities [V, P] and weights [V, P, F] from the matcher that works on tensors: each node a sentence."""
    clips = [torch.from_numpy(frames[s : s + c].astype(np.float32)) for s, c in zip(starts, counts, strict=True)]
    padded = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True)
    mask = torch.arange(padded.shape[1]) < torch.as_tensor(counts)[:, None]
    vectors = torch.from_numpy(nodes)[:, None]
    one, none = torch.ones(len(nodes), 1, dtype=torch.bool), torch.zeros(len(nodes), 0, dtype=torch.bool)
    matcher = Matcher(sharpness=sharpness, fusion=fusion)
    video = VideoEmbeddings(event=padded[:, 0], action=padded, entity=padded, frame_mask=mask)
    text = TextEmbeddings(
        event=vectors[:, 0], action=vectors[:, :0], entity=vectors, action_mask=none, entity_mask=one
    )
    return matcher(video, text).levels.entity.numpy(), matcher.align(video, text).entity[:, :, 0].numpy()


def by_equation(frames, nodes, sharpness, fusion):
    """One clip's similarities [P] in double precision, and which of them rounding changes by little."""
    similarities, steady = [], []
    lengths = np.maximum(np.linalg.norm(frames, axis=1), 1e-10)
    for node in nodes:
        unit = node / max(np.linalg.norm(node), 1e-10)
        cosines = frames @ unit / lengths
        positive = np.maximum(cosines, 0)
        weights = np.exp(sharpness * positive / max(np.linalg.norm(positive), 1e-10))
        weights /= weights.sum()
        attended = weights @ frames
        own = attended @ unit / max(np.linalg.norm(attended), 1e-10) if fusion == "embed" else weights @ cosines
        similarities.append(own)
        ratio = np.linalg.norm(attended) / lengths.max() if fusion == "embed" else 1
        steady.append((np.linalg.norm(positive) > 0.1 or cosines.max() < -1e-6) and ratio > 0.1)
    return np.array(similarities), np.array(steady)


@pytest.mark.parametrize("fusion", ["embed", "sim"])
@pytest.mark.parametrize("sharpness", [0.0, 4.0, 30.0])
@pytest.mark.parametrize("num_nodes", [1, 2, 3, 4, 7, 40])
def test_similarities_are_the_matcher_s(fusion, sharpness, num_nodes, dtype):
    starts, counts = laid_out([3, 1, 20, 3, 7, 1, 33])
    frames, nodes = rows_of(counts.sum(), 512, dtype=dtype), nodes_of(num_nodes, 512)
    found = clip_similarities(frames, starts, counts, nodes, sharpness=sharpness, fusion=fusion)
    assert found.dtype == np.float32
    expected, _ = by_matcher(frames, starts, counts, nodes, sharpness=sharpness, fusion=fusion)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.integers(1, 70),
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    num_nodes=st.integers(1, 9),
    sharpness=st.sampled_from([0.0, 1.0, 4.0, 9.0]),
    fusion=st.sampled_from(["embed", "sim"]),
    half=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_similarities_follow_the_equation(seed, dim, counts, num_nodes, sharpness, fusion, half):
    rng = np.random.default_rng(seed)
    frames = rng.standard_normal((50, dim)) * rng.uniform(0.1, 10, (50, 1))
    frames = frames.astype(np.float16 if half else np.float32)
    starts = np.array([rng.integers(0, 51 - count) for count in counts])
    nodes = rng.standard_normal((num_nodes, dim)).astype(np.float32)
    found = clip_similarities(frames, starts, counts, nodes, sharpness=sharpness, fusion=fusion)
    for clip, (start, count) in enumerate(zip(starts, counts, strict=True)):
        own = frames[start : start + count].astype(np.float64)
        expected, steady = by_equation(own, nodes.astype(np.float64), sharpness, fusion)
        np.testing.assert_allclose(found[clip][steady], expected[steady], atol=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.integers(1, 70),
    num_nodes=st.integers(1, 20),
    fusion=st.sampled_from(["embed", "sim"]),
    half=st.booleans(),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_clip_s_result_depends_on_no_other_clip_and_no_position(seed, dim, num_nodes, fusion, half, data):
    rng = np.random.default_rng(seed)
    frames = rng.standard_normal((300, dim)).astype(np.float16 if half else np.float32)
    nodes = rng.standard_normal((num_nodes, dim)).astype(np.float32)
    counts = rng.choice([1, 2, 3, 8, 17], 40)
    starts = np.array([rng.integers(0, 301 - count) for count in counts])
    whole = clip_similarities(frames, starts, counts, nodes, fusion=fusion)
    chosen = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=50))
    np.testing.assert_array_equal(
        clip_similarities(frames, starts[chosen], counts[chosen], nodes, fusion=fusion), whole[chosen]
    )
    moved = np.concatenate([frames[s : s + c] for s, c in zip(starts[chosen], counts[chosen], strict=True)])
    np.testing.assert_array_equal(
        clip_similarities(moved, *laid_out(counts[chosen]), nodes, fusion=fusion), whole[chosen]
    )
    _, similarities = clip_alignment(frames, starts[chosen], counts[chosen], nodes, fusion=fusion)
    np.testing.assert_array_equal(similarities, whole[chosen])


def test_a_node_s_result_depends_on_no_other_node(kernel):
    starts, counts = laid_out([5, 12, 1])
    frames, nodes = rows_of(18, 70), nodes_of(23, 70)
    whole = clip_similarities(frames, starts, counts, nodes)
    for node in range(23):
        alone = clip_similarities(frames, starts, counts, nodes[node : node + 1])[:, 0]
        np.testing.assert_allclose(alone, whole[:, node], atol=1e-6 if kernel == "numpy" else 0)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr("hgrkit.matching.kernel._WORTH_A_THREAD", 100)
    starts, counts = laid_out(np.random.default_rng(0).integers(1, 21, 500))
    frames, nodes = rows_of(counts.sum()), nodes_of(3)
    weights, alone = clip_alignment(frames, starts, counts, nodes, num_threads=1)
    events = event_similarities(frames, nodes[0], num_threads=1)
    for num_threads in (2, 3, 64, None):
        own, found = clip_alignment(frames, starts, counts, nodes, num_threads=num_threads)
        np.testing.assert_array_equal(found, alone)
        np.testing.assert_array_equal(np.concatenate(own, axis=1), np.concatenate(weights, axis=1))
        np.testing.assert_array_equal(event_similarities(frames, nodes[0], num_threads=num_threads), events)
    first = clip_similarities(frames, starts[:1], counts[:1], nodes, num_threads=8)
    np.testing.assert_array_equal(first, alone[:1])


def test_callers_may_be_threads_themselves():
    starts, counts = laid_out(np.full(200, 12))
    frames, nodes = rows_of(counts.sum()), nodes_of(3)
    expected = clip_similarities(frames, starts, counts, nodes)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(clip_similarities, frames, starts, counts, nodes) for _ in range(40)]
        for call in calls:
            np.testing.assert_array_equal(call.result(), expected)


def test_weights_are_the_matcher_s(dtype):
    starts, counts = laid_out([6, 1, 17, 20])
    frames, nodes = rows_of(counts.sum(), 512, dtype=dtype), nodes_of(6, 512)
    weights, similarities = clip_alignment(frames, starts, counts, nodes)
    expected, padded = by_matcher(frames, starts, counts, nodes)
    np.testing.assert_allclose(similarities, expected, atol=1e-6)
    assert [own.shape for own in weights] == [(6, count) for count in counts]
    for own, wanted, count in zip(weights, padded, counts, strict=True):
        np.testing.assert_allclose(own, wanted[:, :count], atol=1e-6)
        np.testing.assert_allclose(own.sum(axis=1), 1, atol=1e-6)


def test_a_clip_of_one_frame_has_the_cosine():
    frames, nodes = rows_of(30, 70), nodes_of(1, 70)
    found = clip_similarities(frames, np.arange(30), np.ones(30, int), nodes)[:, 0]
    np.testing.assert_allclose(found, event_similarities(frames, nodes[0]), atol=2e-7)


def test_a_clip_may_be_an_hour_long():
    frames, nodes = rows_of(20_000, 8), nodes_of(2, 8)
    found = clip_similarities(frames, [0], [20_000], nodes)
    expected, _ = by_equation(frames.astype(np.float64), nodes.astype(np.float64), 4.0, "embed")
    np.testing.assert_allclose(found[0], expected, atol=1e-5)  # float32 rounds with every frame that is added


@pytest.mark.parametrize("fusion", ["embed", "sim"])
def test_zero_frames_and_zero_nodes_score_zero(fusion, dtype):
    frames = rows_of(6, dtype=dtype)
    frames[:3] = 0
    nodes = np.concatenate([np.zeros((1, DIM), np.float32), nodes_of(2)])
    weights, found = clip_alignment(frames, [0, 3, 2], [3, 3, 2], nodes, fusion=fusion)
    assert found[0].tolist() == [0, 0, 0]
    assert found[:, 0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(weights[0], 1 / 3, atol=1e-6)
    expected, _ = by_matcher(frames, [0, 3, 2], [3, 3, 2], nodes, fusion=fusion)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not event_similarities(frames[:3], nodes[1]).any()
    assert not event_similarities(frames, nodes[0]).any()


def test_rows_may_lie_apart_and_at_odd_addresses(dtype, tmp_path):
    frames, nodes = rows_of(40, 45, dtype=dtype), nodes_of(5, 45)
    starts, counts = [30, 0, 7, 7], [10, 3, 20, 1]
    expected = clip_similarities(frames, starts, counts, nodes)
    events = event_similarities(frames, nodes[0])
    wide, sparse = np.full((40, 60), np.nan, dtype), np.full((120, 45), np.nan, dtype)
    wide[:, 3:48] = frames
    sparse[::3] = frames
    odd = np.frombuffer(b"\0" + frames.tobytes(), np.uint8)[1:].view(dtype).reshape(40, 45)
    np.save(tmp_path / "frames.npy", frames)
    mapped = np.load(tmp_path / "frames.npy", mmap_mode="r")
    backwards = frames[::-1].copy()[::-1]
    for same in (wide[:, 3:48], sparse[::3], odd, mapped, backwards, np.asfortranarray(frames).copy("C")):
        np.testing.assert_array_equal(clip_similarities(same, starts, counts, nodes), expected)
        np.testing.assert_array_equal(event_similarities(same, nodes[0]), events)


_AT_THE_EDGE = """
import ctypes, mmap, sys
import numpy as np
from hgrkit.matching.clip_similarities import clip_similarities, event_similarities
page = mmap.PAGESIZE
memory = mmap.mmap(-1, 16 * page)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + 15 * page), ctypes.c_size_t(page), 0) == 0
for dtype in (np.float16, np.float32):
    for dim in range(1, 40):
        size = 9 * dim * np.dtype(dtype).itemsize
        frames = np.frombuffer(memory, dtype, 9 * dim, 15 * page - size).reshape(9, dim)
        frames[:] = np.arange(9 * dim).reshape(9, dim)
        for nodes in (1, 3):
            clip_similarities(frames, [0, 8], [9, 1], np.ones((nodes, dim), np.float32))
        event_similarities(frames, np.ones(dim, np.float32))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects a page with mprotect")
def test_nothing_behind_the_last_row_is_read():
    ran = subprocess.run([sys.executable, "-P", "-c", _AT_THE_EDGE], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_every_float16_is_read_as_what_it_is():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    events = np.stack([every, np.ones_like(every)], axis=1)
    found = event_similarities(events, [1, 0])
    finite = np.isfinite(every)
    wide = every[finite].astype(np.float64)
    np.testing.assert_allclose(found[finite], wide / np.hypot(wide, 1), rtol=1e-6)
    assert np.isnan(found[~finite]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_spoils_its_own_clip_alone(bad, dtype):
    frames, nodes = rows_of(30, dtype=dtype), nodes_of(5)
    starts, counts = np.array([0, 10, 20]), np.array([10, 10, 10])
    expected = clip_similarities(frames, starts, counts, nodes)
    events = event_similarities(frames, nodes[0])
    frames[13, 4] = bad
    _, found = clip_alignment(frames, starts, counts, nodes)
    np.testing.assert_array_equal(found[[0, 2]], expected[[0, 2]])
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(np.delete(event_similarities(frames, nodes[0]), 13), np.delete(events, 13))
    nodes[1, 0] = bad
    assert np.isnan(clip_similarities(frames, starts[:1], counts[:1], nodes)[0, 1])


def test_the_largest_float16_do_not_overflow():
    frames = np.full((3, 512), np.finfo(np.float16).max)
    np.testing.assert_allclose(clip_similarities(frames, [0], [3], frames[:1].astype(np.float32)), 1, atol=1e-6)
    np.testing.assert_allclose(event_similarities(frames, np.ones(512)), 1, atol=1e-6)


def test_no_clip_no_node_and_no_number_are_answered(dtype):
    frames = rows_of(4, dtype=dtype)
    assert clip_similarities(frames, [], [], nodes_of(2)).shape == (0, 2)
    assert clip_similarities(frames[:0], [], [], nodes_of(2)).shape == (0, 2)
    assert clip_similarities(frames, [1], [2], nodes_of(0)).shape == (1, 0)
    assert clip_alignment(frames, [], [], nodes_of(2))[0] == []
    assert [own.shape for own in clip_alignment(frames, [1, 0], [2, 4], nodes_of(0))[0]] == [(0, 2), (0, 4)]
    assert clip_similarities(frames[:, :0], [0], [4], np.zeros((2, 0))).tolist() == [[0, 0]]
    assert event_similarities(frames[:0], np.ones(DIM)).shape == (0,)
    assert event_similarities(frames[:, :0], np.zeros(0)).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("starts", "counts", "message"),
    [
        ([0, 3], [2, 3], r"clip 1 .* within \[0, 5\); it starts at 3 and has 3"),
        ([-1], [2], "starts at -1"),
        ([5], [1], "starts at 5"),
        ([0], [0], "has 0"),
        ([0], [-3], "has -3"),
        ([2**62], [2**62], "starts at"),
        ([2**63], [1], "starts at"),
        ([1], [2**63 - 1], "starts at"),
        ([0, 1], [1], "as many starts as counts, got 2 and 1"),
        ([[0]], [[1]], "whole numbers"),
        ([0.0], [1], "whole numbers"),
        ([True], [1], "whole numbers"),
        (0, 1, "whole numbers"),
    ],
)
def test_a_clip_that_is_not_among_the_frames_is_refused(starts, counts, message):
    for function in (clip_similarities, clip_alignment):
        with pytest.raises(ShapeError, match=message):
            function(rows_of(5), np.array(starts), np.array(counts), nodes_of(2))


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((4, DIM)),
        np.zeros((4, DIM), np.int16),
        np.zeros((4, DIM), ">f2"),
        np.zeros(DIM, np.float16),
        np.zeros((2, 2, DIM), np.float16),
        np.zeros((DIM, 4), np.float16).T,
        np.zeros((4, 2 * DIM), np.float32)[:, ::2],
        np.zeros((4, DIM), np.float32)[:, ::-1],
        np.broadcast_to(np.float32(1), (4, DIM)),
        [[0.0] * DIM],
        None,
    ],
)
def test_what_are_no_frames_is_refused(frames):
    with pytest.raises(ShapeError, match=r"float16 or float32 \[N, D\]"):
        clip_similarities(frames, [0], [1], nodes_of(1))
    with pytest.raises(ShapeError, match=r"float16 or float32 \[N, D\]"):
        event_similarities(frames, np.zeros(DIM))


@pytest.mark.parametrize("nodes", [np.zeros((2, 5)), np.zeros(DIM), np.zeros((1, 2, DIM))])
def test_nodes_of_another_size_are_refused(nodes):
    with pytest.raises(ShapeError, match=r"\[P, 24\]"):
        clip_similarities(rows_of(2), [0], [1], nodes)
    with pytest.raises(ShapeError, match=r"must be \[24\]"):
        event_similarities(rows_of(2), nodes[..., :5])


@pytest.mark.parametrize(
    "setting",
    [{"fusion": "max"}, {"sharpness": -1.0}, {"sharpness": np.nan}, {"num_threads": 0}, {"num_threads": 1.5}],
)
def test_settings_that_there_are_not_are_refused(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        clip_similarities(rows_of(2), [0], [1], nodes_of(1), **setting)


def test_the_given_arrays_are_left_as_they_were(dtype):
    frames, nodes = rows_of(4, dtype=dtype), nodes_of(2)
    before = frames.copy(), nodes.copy()
    clip_alignment(frames, [0], [4], nodes)
    event_similarities(frames, nodes[0])
    np.testing.assert_array_equal(frames, before[0])
    np.testing.assert_array_equal(nodes, before[1])


def test_long_clips_and_many_nodes_are_worked_on_in_parts(monkeypatch):
    starts, counts = laid_out([50, 7, 7, 7, 50])
    frames, nodes = rows_of(counts.sum()), nodes_of(150)
    whole = clip_similarities(frames, starts, counts, nodes)
    monkeypatch.setattr(module, "_PIECE_ELEMENTS", 1)
    monkeypatch.setattr(module, "_PRODUCT_ELEMENTS", 1)
    weights, found = clip_alignment(frames, starts, counts, nodes)
    np.testing.assert_allclose(found, whole, atol=1e-6)
    np.testing.assert_allclose(weights[0][77], by_matcher(frames, starts, counts, nodes)[1][0, 77], atol=1e-6)


def test_the_environment_names_the_kernel(kernel):
    assert kernel_name() == kernel
    fastest = chosen_kernel({})
    assert (fastest.name if fastest else "numpy") == kernel_names()[0]
    assert chosen_kernel({VARIABLE: "numpy"}) is None
    with pytest.raises(ConfigError, match=r"HGRKIT_KERNEL is 'abacus', which does not run here; .* 'numpy'"):
        chosen_kernel({VARIABLE: "abacus"})


def test_no_sentence_has_the_mean_of_another_s_nodes():
    assert mean_over_nodes(np.zeros((3, 0), dtype=np.float32), [0, 0]).tolist() == [[0.0, 0.0]] * 3
    with pytest.raises(ShapeError, match="sum to 2, but there are 3"):
        mean_over_nodes(np.zeros((1, 3), dtype=np.float32), [2])


def test_it_needs_no_torch():
    code = "import sys, hgrkit.matching.clip_similarities; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("shape", [(20, 512), (3, 8), (5, 13), (1, 1), (0, 7)])
def test_every_kernel_rounds_to_the_same_float16_and_writes_nothing_beside_it(shape):
    rng = np.random.default_rng(0)
    values = (rng.standard_normal(shape) * 10.0 ** rng.integers(-9, 6, shape)).astype(np.float32)
    places = np.full((shape[0], shape[1] + 3), 7, np.float16)
    largest = store_halves(chosen_kernel(), values, places[:, : shape[1]])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(places[:, : shape[1]], values.astype(np.float16))
    assert largest == np.abs(values).max(initial=0)
    assert (places[:, shape[1] :] == 7).all()


def test_ties_and_the_smallest_numbers_are_rounded_as_numpy_rounds_them():
    values = np.arange(0, 0x7F800000, 1021, dtype=np.uint32).view(np.float32)[None]
    ties = np.arange(0, 0x47800000, 0x1000, dtype=np.uint32).view(np.float32)[None]
    for numbers in (values, -values, ties, -ties, values[:, ::2]):
        halves = np.empty(numbers.shape, np.float16)
        store_halves(chosen_kernel(), numbers, halves)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(halves.view(np.uint16), numbers.astype(np.float16).view(np.uint16))
