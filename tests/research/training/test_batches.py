from __future__ import annotations

import numpy as np
import pytest

from hgrkit.parsing import LarkParser
from hgrkit.research.training.clips import CaptionedClips, RightPairs, epoch_batches
from hgrkit.research.training.config import TrainConfig

OWNERS = np.repeat(np.arange(10), [1, 5, 2, 2, 3, 7, 1, 1, 4, 5])
LENGTHS = np.random.default_rng(0).integers(2, 30, len(OWNERS))


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("bucket", [0, 2])
@pytest.mark.parametrize("each", [None, 1, 2])
@pytest.mark.parametrize("batch_size", [2, 3, 5, 6, 30, 31, 100])
def test_an_epoch_has_each_caption_once_and_as_many_steps_as_any_other(batch_size, each, bucket, drop_last):
    config = TrainConfig(batch_size=batch_size, captions_per_video=each, bucket=bucket, drop_last=drop_last)
    counts = np.bincount(OWNERS)
    wanted = counts if each is None else np.minimum(counts, each)
    full, rest = divmod(int(wanted.sum()), batch_size)
    for epoch in range(3):
        batches = epoch_batches(config, epoch, OWNERS, LENGTHS)
        assert len(batches) == (max(1, full) if drop_last else full + (rest > 1 or not full))
        taken = np.concatenate(batches)
        assert len(np.unique(taken)) == len(taken)
        drawn = np.bincount(OWNERS[taken], minlength=len(counts))
        assert (drawn <= wanted).all()
        if len(batches) > 1:
            assert wanted.sum() - drawn.sum() < (batch_size if drop_last else 2)


def test_epochs_differ_and_a_seed_repeats_them():
    config = TrainConfig(batch_size=5)
    first, second = (np.concatenate(epoch_batches(config, epoch, OWNERS, LENGTHS)) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    again = np.concatenate(epoch_batches(config, 0, OWNERS, LENGTHS))
    assert np.array_equal(first, again)


def test_buckets_bring_captions_of_a_length_together():
    def spread(bucket):
        batches = epoch_batches(TrainConfig(batch_size=5, bucket=bucket), 0, OWNERS, LENGTHS)
        return np.mean([np.ptp(LENGTHS[batch]) for batch in batches])

    assert spread(6) < spread(0) / 2


def test_a_batch_of_short_captions_comes_at_any_step_of_an_epoch():
    config, seen = TrainConfig(batch_size=5, bucket=6), set()
    for epoch in range(60):
        lengths = [LENGTHS[batch].mean() for batch in epoch_batches(config, epoch, OWNERS, LENGTHS)]
        seen.add(int(np.argmin(lengths)))
    assert seen == set(range(6))


def test_captions_of_one_clip_and_captions_in_the_same_words_are_never_negatives():
    told = {"a": ["a dog runs", "the dog is fast"], "b": ["a cat sleeps"], "c": ["a dog runs", "a big dog"]}
    features = {name: np.ones((1, 4), np.float32) for name in told}
    clips = CaptionedClips.of(told, features, parser=LarkParser())
    captions = np.arange(5)
    expected = [
        [True, True, False, True, False],  # a: its own two, and c's "a dog runs"
        [False, False, True, False, False],
        [True, False, False, True, True],
    ]
    right = RightPairs(clips)
    assert right.table(np.arange(3), captions).tolist() == expected
    relevance = right.relevance
    pairs = set(zip(relevance.queries.tolist(), relevance.candidates.tolist(), strict=True))
    assert pairs == {(row, column) for row in range(3) for column in range(5) if expected[row][column]}
