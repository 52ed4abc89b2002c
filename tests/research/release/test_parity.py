"""What the released code computes on three problems, to the last digits."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from hgrkit.model.checkpoint import load_model
from hgrkit.research.release.dataset import open_split
from hgrkit.research.release.experiment import evaluate_release, train_release
from hgrkit.research.release.importing import import_release
from hgrkit.research.release.layout import ReleaseFolder

pytestmark = [
    pytest.mark.shared,
    pytest.mark.parametrize("problem", ["released", "deep_shared_noroles", "lstm_sim_4loss"]),
]

RELEASED_NAMES = {
    **{("text_to_video", name): f"i{key}" for name, key in (("R@1", "r1"), ("R@5", "r5"), ("R@10", "r10"))},
    **{("video_to_text", name): f"c{key}" for name, key in (("R@1", "r1"), ("R@5", "r5"), ("R@10", "r10"))},
    ("text_to_video", "MedR"): "imedr",
    ("text_to_video", "MeanR"): "imeanr",
    ("video_to_text", "MedR"): "cmedr",
    ("video_to_text", "MeanR"): "cmeanr",
}


@pytest.fixture
def folder(shared, problem):
    return shared / "parity" / problem


@pytest.fixture
def model_folder(folder, tmp_path):
    import_release(folder, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def expected(folder):
    with np.load(folder / "expected.npz") as arrays:
        return dict(arrays)


def test_level_scores_are_those_of_the_released_code(folder, model_folder, expected, tmp_path):
    evaluate_release(folder, model_folder, scores_out=tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as scores:
        assert scores["video_names"].tolist() == expected["video_names"].tolist()
        assert scores["captions"].tolist() == expected["captions"].tolist()
        np.testing.assert_allclose(scores["level_scores"], expected["level_scores"], atol=1e-6)


def test_text_embeddings_are_those_of_the_released_code(folder, model_folder, expected):
    model = load_model(model_folder)
    dataset = open_split(ReleaseFolder(folder), "trn", model, model_folder)
    with torch.inference_mode():
        text = model.text(dataset.graphs(expected["captions"].tolist()))
    np.testing.assert_allclose(text.event, expected["sent_embeds"], atol=5e-6)
    for level, mask, name in ((text.action, text.action_mask, "verb"), (text.entity, text.entity_mask, "noun")):
        released = expected[f"{name}_embeds"][:, : mask.shape[1]]
        np.testing.assert_allclose(level[mask], released[mask.numpy()], atol=5e-6)


def test_metrics_are_those_of_the_released_code(folder, model_folder):
    measured = evaluate_release(folder, model_folder)
    released = json.loads((folder / "expected_metrics.json").read_text())
    for (direction, name), key in RELEASED_NAMES.items():
        assert measured[direction][name] == pytest.approx(released[key], abs=1e-6), key
    assert measured["Rsum"] == pytest.approx(released["rsum"], abs=1e-6)


def test_training_follows_the_released_code_step_by_step(folder, model_folder, expected, tmp_path):
    trained = train_release(folder, model_folder, epochs=1, shuffle=False, out=tmp_path / "trained")
    np.testing.assert_allclose(trained.losses, expected["train_losses"], atol=5e-6)
    evaluate_release(folder, tmp_path / "trained", scores_out=tmp_path / "after.npz")
    with np.load(tmp_path / "after.npz") as scores:
        np.testing.assert_allclose(scores["level_scores"], expected["level_scores_after"], atol=1e-4)
