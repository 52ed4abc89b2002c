"""What `hgrkit export-onnx` refuses; exports themselves are tested with the models of plugins/hgrkit-clip."""

from __future__ import annotations

import json

import pytest

from hgrkit.errors import ConfigError, ModelNotFoundError, PluginError
from hgrkit.model.onnx_export import export_onnx

PLAIN = """
from tests.letter_encoder import LetterTexts
def thing(device):
    return LetterTexts()
"""
FAILING = """
from tests.letter_encoder import LetterTexts, ShadeFrames
class Exportable(LetterTexts):
    def export_onnx(self, folder):
        raise OSError("no room")
def thing(device):
    return Exportable()
def frames(device):
    return ShadeFrames()
"""


@pytest.fixture
def write(tmp_path, install_plugin):
    """Writes a model folder with that text encoder and frame encoder."""
    install_plugin("hgrkit.text_encoders", "letters", source=PLAIN, distribution="letters")
    install_plugin("hgrkit.text_encoders", "both", source=FAILING, distribution="both")
    install_plugin("hgrkit.frame_encoders", "both", source=FAILING, distribution="both", target="frames")

    def make(text, frames):
        config = {
            "format": 1,
            "text": {"type": "plugin", "name": text},
            "video": {"feature_dim": 16, "embed_dim": 16},
            "matcher": {},
            "frame_encoder": frames,
        }
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "config.json").write_text(json.dumps(config))
        return str(tmp_path / "model")

    return make


@pytest.mark.parametrize(
    ("text", "frames", "error", "reason"),
    [
        ("letters", "letters", ConfigError, "the text encoder 'letters' cannot be exported: it has no method"),
        ("both", "shades", ConfigError, r"texts \(both\) and frames \(shades\) of .* are encoded by two models"),
        ("both", "both", PluginError, "letters@1 cannot be exported: OSError: no room"),
    ],
)
def test_what_cannot_be_exported_is_told_and_leaves_nothing(write, tmp_path, text, frames, error, reason):
    model = write(text, frames)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=reason) as caught:
        export_onnx(model, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_with_weights_of_its_own_is_no_dual_encoder(tmp_path):
    with pytest.raises(ConfigError, match="the model 'default' has weights of its own; only dual encoders"):
        export_onnx("default", tmp_path / "out")
    with pytest.raises(ModelNotFoundError, match="no model named 'nothing'"):
        export_onnx("nothing", tmp_path / "out")
