"""Records: what a clip, a query and a video may hold."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.library import QueryEmbeddings, SearchSettings, VideoRecord
from hgrkit.testing.store_contract import random_clip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times_s": []}, r"times_s \[F\] with F >= 1"),
        ({"action": np.zeros((2, 8))}, r"must be \[3, 8\] as its times_s and event say, got \[2, 8\]"),
        ({"event": np.full(8, np.nan)}, "finite"),
        ({"times_s": [0, 2, 1]}, "never decrease"),
        ({"start_s": 4}, r"start_s <= end_s"),
        ({"end_s": float("inf")}, "finite"),
    ],
)
def test_a_clip_that_does_not_fit_together_is_refused(changed, message):
    with pytest.raises(ShapeError, match=message):
        attrs.evolve(random_clip(0), **changed)


def test_a_query_that_does_not_fit_together_is_refused():
    with pytest.raises(ShapeError, match=r"got \[8\], \[2, 7\] and \[0, 8\]"):
        QueryEmbeddings(event=np.ones(8), action=np.ones((2, 7)), entity=np.ones((0, 8)))
    with pytest.raises(ShapeError, match="finite"):
        QueryEmbeddings(event=np.full(8, np.inf), action=np.ones((2, 8)), entity=np.ones((0, 8)))


def test_a_record_has_a_reason_if_and_only_if_it_failed():
    record = VideoRecord(path="a", content="", size=1, mtime_ns=1)
    with pytest.raises(ConfigError, match="'a' is indexed with reason 'why'"):
        attrs.evolve(record, reason="why")
    with pytest.raises(ConfigError, match="'a' is failed with reason None"):
        attrs.evolve(record, state="failed")
    with pytest.raises(ConfigError, match="got 'lost' for 'a'"):
        attrs.evolve(record, state="lost")
    with pytest.raises(ConfigError, match="duration"):
        attrs.evolve(record, duration_s=float("nan"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sharpness": -1}, r"sharpness must be a number in \[0, 1000000\], got -1"),
        ({"fusion": "mean"}, "'embed' or 'sim', got 'mean'"),
        ({"level_weights": (1, 1)}, r"got \(1, 1\)"),
        ({"level_weights": (0, 0, 0)}, "level_weights"),
        ({"candidates": 0}, r"candidates must be a whole number in \[1, inf\) or none, got 0"),
    ],
)
def test_settings_out_of_their_range_are_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        SearchSettings(**changed)


def test_records_of_arrays_print_in_a_line():
    assert repr(random_clip(0)) == "ClipEmbeddings(0-3 s, num_frames=3, embed_dim=8)"
