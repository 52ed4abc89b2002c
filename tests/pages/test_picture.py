"""The PNG picture: it is one, it shows the hits, it follows the theme, and it says what is missing."""

from __future__ import annotations

import importlib.util
from io import BytesIO

import attrs
import numpy as np
import pytest
import resvg_py
from PIL import Image

from hgrkit.errors import MissingPackageError
from hgrkit.graph import RoleGraph
from hgrkit.pages.explanation import draw_picture, explain_result
from hgrkit.results import Excluded
from tests.pages.sample import result_over


def drawn(png):
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


def test_a_picture_is_saved_light_or_dark(explanation, tmp_path):
    explanation.save(tmp_path / "why.png")
    explanation.save(tmp_path / "dark.png", dark=True)
    light, dark = (drawn((tmp_path / name).read_bytes()) for name in ("why.png", "dark.png"))
    assert light.shape == dark.shape
    assert light.shape[1] == 2400
    assert light[:4].mean() == 255
    assert dark[:4].mean() < 40


def test_a_picture_shows_the_frames_of_the_video(video):
    shown = drawn(draw_picture(explain_result(result_over(video)), density=2))
    colours = {tuple(colour) for colour in np.unique(shown.reshape(-1, 3), axis=0).tolist()}
    greys = [red for red, green, blue in colours if abs(red - green) < 3 and abs(red - blue) < 3]
    assert all(any(abs(grey - wanted) <= 4 for grey in greys) for wanted in (20, 60, 100, 140))


def with_first_hit(explanation, **changes):
    """The first hit alone, with these changes."""
    first = explanation.hits[0]
    return attrs.evolve(explanation, hits=(attrs.evolve(first, hit=attrs.evolve(first.hit, **changes)),))


def changed(explanation, **changes):
    """Where the picture of the first hit becomes another by these changes, [height, width]."""
    one, other = (drawn(draw_picture(with_first_hit(explanation, **each), density=1)) for each in ({}, changes))
    return (one != other).any(axis=2)


def longest_run(pixels):
    """From left to right; a bar's, since no letter is as wide as a bar."""
    return max(len(run) for row in pixels for run in row.tobytes().split(b"\0"))


@pytest.mark.parametrize("level", ["event", "action", "entity"])
def test_a_levels_bar_in_the_picture_is_as_long_as_its_score(explanation, level):
    levels = attrs.evolve(explanation.hits[0].hit.levels, **{level: 0.0})
    empty = with_first_hit(explanation, levels=levels)
    quarter, half = (
        longest_run(changed(empty, levels=attrs.evolve(levels, **{level: score}))) for score in (0.25, 0.5)
    )
    assert quarter > 50
    assert half == pytest.approx(2 * quarter, abs=2)


@pytest.mark.parametrize("place", range(4))
def test_a_phrases_bar_in_the_picture_is_as_long_as_its_similarity(explanation, place):
    def phrases(similarity):
        found = list(explanation.hits[0].hit.phrases)
        found[place] = attrs.evolve(found[place], similarity=similarity)
        return tuple(found)

    empty = with_first_hit(explanation, phrases=phrases(0.0))
    quarter, half = (longest_run(changed(empty, phrases=phrases(score))) for score in (0.25, 0.5))
    assert quarter > 50
    assert half == pytest.approx(2 * quarter, abs=2)


@pytest.mark.parametrize("row", range(4))
def test_a_column_in_the_picture_stands_under_its_frame_and_is_as_high_as_its_weight(explanation, row):
    def phrases(place, weight):
        """The phrase's weights are all at the first frame, but for this one."""
        found = list(explanation.hits[0].hit.phrases)
        weights = [0.5, *[0.0] * 7]
        weights[place] = weight
        found[row] = attrs.evolve(found[row], weights=tuple(weights))
        return tuple(found)

    empty = with_first_hit(explanation, phrases=phrases(0, 0.5))
    ends = []
    for place in (2, 5, 7):
        low, high = (np.argwhere(changed(empty, phrases=phrases(place, weight))) for weight in (0.2, 0.4))
        (low_height, low_width), (height, width) = (np.ptp(pixels, axis=0) + 1 for pixels in (low, high))
        assert low_height > 5
        assert height == pytest.approx(2 * low_height, abs=2)
        assert len(high) > 0.9 * height * width  # filled
        assert width == low_width
        ends += [high[:, 1].min(), high[:, 1].max()]
    assert ends == sorted(set(ends))


def test_a_picture_grows_with_its_hits_and_its_density(explanation):
    both, one = (drawn(draw_picture(explanation, hits=hits, density=1)) for hits in (2, 1))
    assert both.shape[0] > one.shape[0]
    assert drawn(draw_picture(explanation, density=2)).shape[:2] == tuple(2 * size for size in both.shape[:2])


def test_long_names_strange_words_and_no_hits_can_be_drawn(explanation):
    hit = explanation.hits[1]
    strange = attrs.evolve(hit, hit=attrs.evolve(hit.hit, video="\udcff\x00\n" + 300 * "長" + ".mp4"))
    for hits in ((strange,), ()):
        result = attrs.evolve(explanation.result, query="word " * 60 + "\n\u202e😀")
        drawn(draw_picture(attrs.evolve(explanation, result=result, hits=hits), density=1))


def test_a_graph_of_endless_width_is_left_out(explanation):
    words = ["word"] * 300
    nodes = [{"id": number, "role": "NOUN", "span": [number, number + 1]} for number in range(300)]
    graph = RoleGraph.from_dict({"tokens": words, "nodes": nodes, "edges": []})
    result = attrs.evolve(explanation.result, graph=graph, query=graph.text)
    picture = drawn(draw_picture(attrs.evolve(explanation, result=result), density=1))
    assert picture.shape[1] == 1200


def test_without_resvg_a_line_says_what_to_install(explanation, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'hgrkit\[pictures\]'"):
        explanation.save(tmp_path / "why.png")
    assert not (tmp_path / "why.png").exists()


def test_the_pictures_words_are_in_a_font_that_comes_with_hgrkit(explanation, monkeypatch):
    plain = with_first_hit(explanation, video="a dog, Ōsaka, 2 МБ.mp4")
    with_all_fonts, draw = draw_picture(plain, density=1), resvg_py.svg_to_bytes
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **options: draw(**options, skip_system_fonts=True))
    assert draw_picture(plain, density=1) == with_all_fonts


def test_a_hit_in_the_picture_is_higher_by_a_line_for_each_excluded_phrase(explanation):
    def height(count):
        excluded = (Excluded(node_ids=(), text="a <cat>", similarity=0.1, times_s=(0.5,), weights=(1.0,)),) * count
        hits = tuple(attrs.evolve(one, hit=attrs.evolve(one.hit, excluded=excluded)) for one in explanation.hits)
        return drawn(draw_picture(attrs.evolve(explanation, hits=hits), hits=1, density=1)).shape[0]

    assert height(0) + 20 == height(1)
    assert height(1) + 40 == height(3)


def test_the_picture_says_what_was_not_compared_and_how_many_hits_are_left_out(explanation):
    def height(notes, hits=2):
        result = attrs.evolve(explanation.result, notes=notes)
        return drawn(draw_picture(attrs.evolve(explanation, result=result), hits=hits, density=1)).shape[0]

    assert height(("The question has 40 words.",)) > height(())
    assert height(("one", "two")) > height(("one",))
