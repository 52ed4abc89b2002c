import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.errors import ConfigError
from hgrkit.video.sampling import FpsSampling, UniformSampling, parse_sampling

SAMPLINGS = st.one_of(
    st.integers(1, 10_000).map(lambda number: FpsSampling(number / 100)), st.integers(1, 300).map(UniformSampling)
)


@given(SAMPLINGS)
def test_a_sampling_is_what_its_text_parses_to(sampling):
    assert parse_sampling(str(sampling)) == sampling


@given(SAMPLINGS, st.floats(0.001, 1000))
def test_times_ascend_within_the_video(sampling, duration_s):
    times_s = sampling.times(duration_s)
    assert len(times_s) >= 1
    assert (np.diff(times_s) > 0).all()
    assert times_s[0] >= 0
    assert times_s[-1] < duration_s or len(times_s) == 1


def test_two_frames_a_second_are_the_middles_of_half_seconds():
    assert FpsSampling(2).times(2.0).tolist() == [0.25, 0.75, 1.25, 1.75]


def test_a_video_shorter_than_half_a_step_gives_its_middle():
    assert FpsSampling(1).times(0.4).tolist() == [0.2]


@pytest.mark.parametrize(
    "text", ["", "fps", "fps:", "fps:0", "fps:-1", "fps:nan", "uniform:0", "uniform:1.5", "all:1"]
)
def test_what_is_no_sampling_is_refused(text):
    with pytest.raises(ConfigError):
        parse_sampling(text)
