from __future__ import annotations

import json

import pytest

from hgrkit.errors import ReleaseError
from hgrkit.research.release.config import read_config


@pytest.fixture
def config_of(write_release):
    path = write_release() / "model.json"
    plain = path.read_text()

    def read(*, top=None, video=None, text=None):
        config = json.loads(plain)
        config.update(top or {})
        config["subcfgs"]["video_encoder"].update(video or {})
        config["subcfgs"]["text_encoder"].update(text or {})
        path.write_text(json.dumps(config))
        return read_config(path)

    return read


def test_keys_are_read_and_the_rest_has_the_released_defaults(config_of):
    config = config_of()
    assert (config.num_verbs, config.video.dim_fts, config.text.rnn_type) == (2, (10,), "gru")
    assert (config.attn_fusion, config.simattn_sigma, config.max_violation) == ("embed", 4, True)
    assert config.loss_weights is None


@pytest.mark.parametrize(
    "changes",
    [
        {"top": {"attn_fusion": "max"}},
        {"top": {"simattn_sigma": -1}},
        {"top": {"max_frames_in_video": None}},
        {"top": {"max_words_in_sent": 0}},
        {"top": {"num_verbs": -1}},
        {"top": {"hard_topk": 1.5}},
        {"top": {"max_violation": 1}},
        {"top": {"loss_direction": "both"}},
        {"top": {"loss_weights": [1, 1]}},
        {"top": {"decay_boundarys": 3}},
        {"video": {"num_levels": 2}},
        {"video": {"dim_fts": []}},
        {"video": {"dropout": 1}},
        {"text": {"num_roles": 3}},
        {"text": {"rnn_type": "rnn"}},
        {"text": {"gcn_num_layers": -1}},
        {"text": {"fix_word_embed": "yes"}},
        {"text": {"num_words": None}},
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused_by_name(config_of, changes):
    ((key, value),) = next(iter(changes.values())).items()
    with pytest.raises(ReleaseError, match=f"{key} must be ") as caught:
        config_of(**changes)
    shown = tuple(value) if isinstance(value, list) else value
    assert str(caught.value).endswith(f"got {shown!r}.")


@pytest.mark.parametrize(
    "changes", [{"top": {"momentum": 1}}, {"video": {"momentum": 1}}, {"text": {"momentum": 1}}]
)
def test_an_unknown_key_is_refused_by_name(config_of, changes):
    with pytest.raises(ReleaseError, match="has no setting 'momentum'; known: "):
        config_of(**changes)


def test_an_unknown_encoder_is_refused(write_release):
    path = write_release() / "model.json"
    config = json.loads(path.read_text())
    config["subcfgs"]["audio_encoder"] = {}
    path.write_text(json.dumps(config))
    with pytest.raises(ReleaseError, match="audio_encoder"):
        read_config(path)


def test_sizes_that_cannot_be_compared_are_refused(config_of):
    with pytest.raises(ReleaseError, match="dim_embed is 8, rnn_hidden_size 16"):
        config_of(video={"dim_embed": 8})


@pytest.mark.parametrize("content", ["{", "[]", '{"subcfgs": 3}', '{"subcfgs": {"video_encoder": {}}}'])
def test_what_is_no_config_is_refused(tmp_path, content):
    path = tmp_path / "model.json"
    path.write_text(content)
    with pytest.raises(ReleaseError, match=r"JSON|lacks 'text_encoder'"):
        read_config(path)


def test_only_keys_that_change_what_a_model_computes_make_it_another(config_of):
    plain = config_of()
    assert plain.what_differs(config_of(top={"base_lr": 1.0, "margin": 0.5}, text={"dropout": 0.3})) == []
    assert plain.what_differs(config_of(top={"num_verbs": 3}, text={"num_layers": 2})) == [
        "num_verbs",
        "num_layers",
    ]
