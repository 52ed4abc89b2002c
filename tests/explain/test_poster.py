"""The PNG picture: it is one, it shows the hits, it follows the theme, and it says what is missing."""

from __future__ import annotations

import importlib.util
from io import BytesIO

import attrs
import numpy as np
import pytest
from PIL import Image

from hgrkit.errors import MissingPackageError
from hgrkit.explain.explanation import explain_result
from hgrkit.explain.poster import draw_poster
from hgrkit.graph import RoleGraph
from tests.explain.sample import result_over


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
    shown = drawn(draw_poster(explain_result(result_over(video)), density=2))
    colours = {tuple(colour) for colour in np.unique(shown.reshape(-1, 3), axis=0).tolist()}
    greys = [red for red, green, blue in colours if abs(red - green) < 3 and abs(red - blue) < 3]
    assert all(any(abs(grey - wanted) <= 4 for grey in greys) for wanted in (20, 60, 100, 140))


def test_a_picture_grows_with_its_hits_and_its_density(explanation):
    both, one = (drawn(draw_poster(explanation, hits=hits, density=1)) for hits in (2, 1))
    assert both.shape[0] > one.shape[0]
    assert drawn(draw_poster(explanation, density=2)).shape[:2] == tuple(2 * size for size in both.shape[:2])


def test_long_names_strange_words_and_no_hits_can_be_drawn(explanation):
    hit = explanation.hits[1]
    strange = attrs.evolve(hit, hit=attrs.evolve(hit.hit, video="\udcff\x00\n" + 300 * "長" + ".mp4"))
    for hits in ((strange,), ()):
        result = attrs.evolve(explanation.result, query="word " * 60 + "\n\u202e😀")
        drawn(draw_poster(attrs.evolve(explanation, result=result, hits=hits), density=1))


def test_a_graph_of_endless_width_is_left_out(explanation):
    words = ["word"] * 300
    nodes = [{"id": number, "role": "NOUN", "span": [number, number + 1]} for number in range(300)]
    graph = RoleGraph.from_dict({"tokens": words, "nodes": nodes, "edges": []})
    result = attrs.evolve(explanation.result, graph=graph, query=graph.text)
    picture = drawn(draw_poster(attrs.evolve(explanation, result=result), density=1))
    assert picture.shape[1] == 1200


def test_without_pillow_a_line_says_what_to_install(explanation, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'hgrkit\[pictures\]'"):
        explanation.save(tmp_path / "why.png")
    assert not (tmp_path / "why.png").exists()
