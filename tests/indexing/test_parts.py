"""What a library is made with: what was asked for, else what the model was made for, else the defaults."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from hgrkit.errors import ConfigError, FrameEncoderNotFoundError, PluginError, ShapeError
from hgrkit.indexing.parts import DEFAULT_CLIP_SECONDS, DEFAULT_SAMPLING, FEATURES_ONLY, Parts
from hgrkit.model.hgr_model import HgrModel, ModelOrigin
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video import VideoEncoder
from hgrkit.video.sampling import FpsSampling, UniformSampling


class Brightness:
    feature_dim, fingerprint = 1, "brightness@1"

    def encode(self, frames):
        return frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]


@pytest.fixture
def loaded(tmp_path):
    """Makes a model called small that says where it comes from."""

    def load(**origin):
        vocabulary = Vocabulary.from_sentences([["a", "dog"]])
        model = HgrModel(
            text=TextEncoder(vocabulary=vocabulary, embed_dim=4, word_dim=3),
            video=VideoEncoder(feature_dim=1, embed_dim=4),
            origin=ModelOrigin(**origin),
        )
        return attrs.evolve(LoadedModel.load(model.save(tmp_path / "model")), name="small")

    return load


@pytest.fixture
def brightness_plugin(install_plugin):
    source = (
        "import numpy as np\n"
        "class Brightness:\n"
        "    feature_dim, fingerprint = 1, 'brightness@2'\n"
        "    def __init__(self, device): self.device = device\n"
        "    def encode(self, frames): return frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]\n"
    )
    install_plugin("hgrkit.frame_encoders", "brightness", source=source, target="Brightness")


def test_what_was_asked_for_counts_before_the_model(loaded, brightness_plugin):
    model = loaded(frame_encoder="gone", sampling="fps:1", clip_seconds=9.0)
    parts = Parts.choose(model, frame_encoder="brightness", sampling="uniform:4", clip_seconds=5, device="cpu")
    assert parts.frame_encoder.device == "cpu"
    assert (parts.frame_encoder_name, parts.sampling, parts.clip_seconds) == (
        "brightness",
        UniformSampling(4),
        5.0,
    )


def test_what_the_model_was_made_for_counts_before_the_defaults(loaded, brightness_plugin):
    parts = Parts.choose(loaded(frame_encoder="brightness", sampling="fps:1", clip_seconds=9.0))
    assert parts.frame_encoder.fingerprint == "brightness@2"
    assert (parts.sampling, parts.clip_seconds) == (FpsSampling(1), 9.0)


def test_a_model_that_says_nothing_takes_features_from_files(loaded):
    parts = Parts.choose(loaded())
    assert (parts.frame_encoder, parts.frame_encoder_name) == (None, FEATURES_ONLY)
    assert (str(parts.sampling), parts.clip_seconds) == (DEFAULT_SAMPLING, DEFAULT_CLIP_SECONDS)


def test_features_may_be_asked_for_by_name(loaded, brightness_plugin):
    assert Parts.choose(loaded(frame_encoder="brightness"), frame_encoder=FEATURES_ONLY).frame_encoder is None


def test_an_instance_is_called_what_its_class_is_called(loaded):
    encoder = Brightness()
    parts = Parts.choose(loaded(), frame_encoder=encoder, sampling=UniformSampling(3))
    assert parts.frame_encoder is encoder
    assert (parts.frame_encoder_name, str(parts.sampling)) == ("Brightness", "uniform:3")


def test_a_manifest_tells_what_the_parts_are(loaded):
    model = loaded()
    manifest = Parts.choose(model, frame_encoder=Brightness(), sampling="fps:2.50", clip_seconds=7).manifest
    assert (manifest.model, manifest.model_fingerprint, manifest.embed_dim) == ("small", model.fingerprint, 4)
    assert (manifest.frame_encoder, manifest.frame_encoder_fingerprint) == ("Brightness", "brightness@1")
    assert (manifest.sampling, manifest.clip_seconds) == ("fps:2.5", 7.0)


def test_a_library_of_features_says_so(loaded):
    manifest = Parts.choose(loaded()).manifest
    assert (manifest.frame_encoder, manifest.frame_encoder_fingerprint) == (FEATURES_ONLY, FEATURES_ONLY)


def test_an_encoder_that_does_not_fit_the_model_is_refused_with_both_sizes(loaded):
    class Wide(Brightness):
        feature_dim = 512

    with pytest.raises(ShapeError) as caught:
        Parts.choose(loaded(), frame_encoder=Wide())
    assert str(caught.value) == (
        "the frame encoder 'Wide' makes 512 numbers a frame, but the model 'small' was built with feature_dim=1."
    )


def test_an_encoder_that_is_not_installed_is_refused(loaded):
    with pytest.raises(FrameEncoderNotFoundError, match="no frame encoder named 'gone'"):
        Parts.choose(loaded(frame_encoder="gone"))


def test_what_is_no_encoder_is_refused(loaded):
    with pytest.raises(PluginError, match="without feature_dim"):
        Parts.choose(loaded(), frame_encoder=object())


@pytest.mark.parametrize("sampling", ["fps", "fps:0", "uniform:0", "uniform:2.5", {"frames": 9}, 2])
def test_a_sampling_that_is_none_is_refused(loaded, sampling):
    with pytest.raises(ConfigError):
        Parts.choose(loaded(), sampling=sampling)
    with pytest.raises(ConfigError):
        Parts.choose(loaded(sampling=sampling))


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_clip_needs_a_length(loaded, seconds):
    with pytest.raises(ConfigError, match="clip_seconds must be a number in"):
        Parts.choose(loaded(), clip_seconds=seconds)
