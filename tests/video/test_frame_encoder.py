import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from hgrkit.checks.device import resolve_device
from hgrkit.errors import (
    CheckpointError,
    ConfigError,
    DeviceMemoryError,
    FrameEncoderNotFoundError,
    PluginError,
    ShapeError,
)
from hgrkit.testing.frame_encoder_contract import FrameEncoderContract
from hgrkit.video.efficientnet_lite import EfficientNetLite
from hgrkit.video.frame_encoder import (
    DEFAULT_FRAME_SIZE,
    encode_frames,
    frame_size_of,
    load_frame_encoder,
)

LITE2 = "efficientnet-lite2"
PLUGIN = pytest.importorskip("hgrkit_model_mini", reason="needs the hgrkit-model-mini plugin")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from importlib.resources import files

    return files("hgrkit_model_mini") / "frames"


@pytest.fixture(scope="module")
def lite2():
    return load_frame_encoder(LITE2, "cpu")


class TestEfficientNetLiteOnOnnxruntime(FrameEncoderContract):
    @pytest.fixture
    def frame_encoder(self, lite2):
        return lite2


class TestEfficientNetLiteOnTorch(FrameEncoderContract):
    @pytest.fixture
    def frame_encoder(self, torch_lite2):
        return torch_lite2


@pytest.fixture(scope="module")
def torch_lite2(folder):
    return EfficientNetLite(folder, variant=LITE2, engine="torch")


@pytest.mark.shared
def test_both_engines_give_the_same_features_of_real_pictures(lite2, torch_lite2, shared):
    image = pytest.importorskip("PIL.Image")
    with zipfile.ZipFile(shared / "data/flickr8k/images_224.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][:4]
        pictures = np.stack(
            [
                np.asarray(image.open(io.BytesIO(archive.read(name))).convert("RGB").resize((260, 260)))
                for name in names
            ]
        )
    np.testing.assert_allclose(lite2.encode(pictures), torch_lite2.encode(pictures), atol=1e-3, rtol=0)


@pytest.mark.parametrize("room", [2, 0])
def test_batches_are_halved_until_the_device_has_room_for_them(room, folder, torch_lite2, monkeypatch):
    from hgrkit.video.efficientnet_torch import EfficientNetLiteModule

    pictures = np.random.default_rng(0).integers(0, 256, (5, 260, 260, 3), dtype=np.uint8)
    forward, sizes = EfficientNetLiteModule.forward, []

    def in_little_room(self, batch):
        sizes.append(len(batch))
        if len(batch) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, batch)

    expected = torch_lite2.encode(pictures)
    monkeypatch.setattr(EfficientNetLiteModule, "forward", in_little_room)
    encoder = EfficientNetLite(folder, variant=LITE2, engine="torch")
    if room:
        np.testing.assert_allclose(encoder.encode(pictures), expected, atol=1e-5, rtol=0)
        assert sizes[-3:] == [2, 2, 1]
    else:
        with pytest.raises(DeviceMemoryError, match="has no room for one picture; use device='cpu'"):
            encoder.encode(pictures)


@pytest.mark.gpu
def test_cuda_gives_the_features_of_the_cpu(folder, lite2):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    pictures = np.random.default_rng(0).integers(0, 256, (4, 260, 260, 3), dtype=np.uint8)
    features = load_frame_encoder(LITE2, "cuda").encode(pictures)
    np.testing.assert_allclose(features, lite2.encode(pictures), atol=1e-3, rtol=0)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_it_is_given_pictures_of_its_own_size(engine, folder):
    assert frame_size_of(EfficientNetLite(folder, variant=LITE2, engine=engine)) == (260, 260)


def test_the_fingerprint_names_the_weights(lite2, folder):
    import hashlib

    weights = (folder / "efficientnet-lite2.safetensors").read_bytes()
    assert lite2.fingerprint == f"efficientnet-lite2@sha256:{hashlib.sha256(weights).hexdigest()[:12]}"


def test_the_graph_holds_no_weights_of_its_own(folder):
    assert (folder / "efficientnet-lite2.onnx").stat().st_size < 50_000


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_a_damaged_weights_file_is_refused_at_the_first_picture(engine, folder, tmp_path):
    for name in ("efficientnet-lite2.safetensors", "efficientnet-lite2.onnx"):
        (tmp_path / name).write_bytes((folder / name).read_bytes()[:1000])
    encoder = EfficientNetLite(tmp_path, variant=LITE2, engine=engine)
    with pytest.raises(CheckpointError):
        encoder.encode(np.zeros((1, *encoder.frame_size, 3), np.uint8))


def test_weights_of_another_variant_are_refused(folder, tmp_path):
    for name in ("efficientnet-lite3.safetensors", "efficientnet-lite3.onnx"):
        (tmp_path / name).write_bytes((folder / name.replace("lite3", "lite2")).read_bytes())
    encoder = EfficientNetLite(tmp_path, variant="efficientnet-lite3", engine="torch")
    with pytest.raises(CheckpointError, match="does not hold efficientnet-lite3"):
        encoder.encode(np.zeros((1, *encoder.frame_size, 3), np.uint8))


def test_an_unknown_variant_is_refused(folder):
    with pytest.raises(ConfigError, match="'efficientnet-lite9'"):
        EfficientNetLite(folder, variant="efficientnet-lite9")


def test_an_empty_folder_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match=r"efficientnet-lite2\.safetensors"):
        EfficientNetLite(tmp_path, variant=LITE2)


@pytest.mark.parametrize("shape", [(1, 200, 260, 3), (260, 260, 3), (1, 3, 260, 260), (1, 224, 224, 3)])
def test_pictures_of_another_shape_are_refused(lite2, shape):
    with pytest.raises(ShapeError, match="260, 260, 3"):
        lite2.encode(np.zeros(shape, dtype=np.uint8))


def test_pictures_of_another_type_are_refused(lite2):
    with pytest.raises(ShapeError, match="float32"):
        lite2.encode(np.zeros((1, 260, 260, 3), dtype=np.float32))


def test_an_unknown_name_lists_what_is_installed():
    with pytest.raises(FrameEncoderNotFoundError, match=r"installed: .*'efficientnet-lite2'.*Did you mean"):
        load_frame_encoder("efficientnet-lite")


def test_without_a_driver_no_gpu_is_looked_for(monkeypatch):
    """That there is none is found out without torch; where one may be, torch decides."""

    def no_driver(_):
        raise OSError

    monkeypatch.setattr("hgrkit.checks.device.sys.platform", "linux")
    monkeypatch.setattr("hgrkit.checks.device.ctypes.CDLL", no_driver)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it fails
    assert resolve_device("auto") == "cpu"
    monkeypatch.setattr("hgrkit.checks.device.ctypes.CDLL", lambda _: object())
    with pytest.raises(ImportError, match="torch"):
        resolve_device("auto")


def test_an_unknown_device_is_refused():
    with pytest.raises(ConfigError, match="abacus"):
        load_frame_encoder(LITE2, "abacus")


class Tiny:
    feature_dim, fingerprint = 3, "tiny@1"

    def encode(self, frames):
        return frames.mean(axis=(1, 2), dtype=np.float32)


class TestTiny(FrameEncoderContract):
    frame_encoder = Tiny()


def test_an_instance_is_returned_as_it_is():
    tiny = Tiny()
    assert load_frame_encoder(tiny) is tiny
    assert frame_size_of(tiny) == DEFAULT_FRAME_SIZE


def test_what_is_no_frame_encoder_is_refused():
    with pytest.raises(PluginError, match="without feature_dim, fingerprint, encode"):
        load_frame_encoder(object())


class _Faulty:
    feature_dim, fingerprint = 4, "faulty@1"

    def __init__(self, encode):
        self.encode = encode


@pytest.mark.parametrize(
    "encode",
    [
        lambda _: None,
        lambda _: 1 / 0,
        lambda frames: np.ones((len(frames), 3), np.float32),
        lambda frames: np.ones((len(frames) - 1, 4), np.float32),
        lambda frames: np.ones((len(frames), 4), np.complex64),
        lambda frames: np.full((len(frames), 4), "a"),
    ],
    ids=["nothing", "raises", "wide", "few", "complex", "text"],
)
def test_an_encoder_that_breaks_its_contract_is_named(encode):
    with pytest.raises(PluginError, match="faulty@1"):
        encode_frames(_Faulty(encode), np.zeros((2, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("size", [(0, 0), (8,), "ab", None])
def test_a_frame_size_that_is_none_is_refused(size):
    encoder = _Faulty(None)
    encoder.frame_size = size
    with pytest.raises(PluginError, match="frame_size"):
        frame_size_of(encoder)
