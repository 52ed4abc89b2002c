"""Checkpoints of strangers: what could hang, grow or lead elsewhere is refused before torch reads it."""

import json
import os
import pickle
import zipfile

import pytest
import torch

from hgrkit.errors import ReleaseError
from hgrkit.research.release.checkpoint_file import look_at_checkpoint
from hgrkit.research.release.importing import import_release, read_checkpoint


def weights():
    return {name: {"a.weight": torch.ones(3, 4)} for name in ("video_encoder", "text_encoder")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "epoch.0.th"


@pytest.mark.parametrize("legacy", [False, True])
def test_what_torch_writes_is_let_through(path, legacy):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    content = {**weights(), "video_encoder": module.state_dict()}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert look_at_checkpoint(path) == path.stat().st_size
    assert read_checkpoint(path)["video_encoder"].keys() == module.state_dict().keys()


def zipped(path, pickle_bytes, *, compression=zipfile.ZIP_STORED, members=()):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle_bytes)
        for name, content in members:
            archive.writestr(name, content)


def nested_key(depth=60):
    """A dictionary with a key of tuples within tuples, which takes 2 ** depth steps to be hashed."""
    doubled = b"".join(b"q" + bytes([number]) + b"h" + bytes([number]) + b"\x86" for number in range(depth))
    return b"\x80\x02})" + doubled + b"K\x01s."


GROWN = b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R."  # 64 GB
REFUSED = {
    "a function": (pickle.dumps({"a": os.system}, 2), "names 'posix system'"),
    "memory": (
        b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.",
        "names '__builtin__ bytearray'",
    ),
    "a key without end": (nested_key(), "has keys that are no names"),
    "a number as a key": (pickle.dumps({1: 2}, 2), "has keys that are no names"),
    "an empty stack": (b"\x80\x02R.", "has a damaged pickle"),
    "another protocol": (pickle.dumps({"a": 1}, 4), r"has a pickle with the step FRAME"),
    "no end": (b"\x80\x02" + b"N" * 100, "has a damaged pickle"),
    "many steps": (
        b"\x80\x02" + b"N" * 1_100_000 + b".",
        "has a pickle of more than",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_pickle_that_does_more_than_a_checkpoints_is_refused(path, what):
    content, said = REFUSED[what]
    zipped(path, content)
    with pytest.raises(ReleaseError, match=said) as caught:
        look_at_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_packed_archive_is_not_unpacked(path):
    zipped(path, bytes(1 << 20), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ReleaseError, match="is packed"):
        look_at_checkpoint(path)


def test_two_pickles_are_refused_since_another_reader_may_take_the_other(path):
    zipped(path, pickle.dumps({}, 2), members=[("other/data.pkl", pickle.dumps({}, 2))])
    with pytest.raises(ReleaseError, match="is no archive of one pickle"):
        look_at_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"nothing", pickle.dumps({"a": 1}, 2)])
def test_what_is_no_checkpoint_is_refused_in_one_line(path, content):
    path.write_bytes(content)
    with pytest.raises(ReleaseError, match=r"is no (sound )?archive") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["expanded", "shared"])
def test_tensors_that_are_larger_than_their_file_are_refused(path, kind):
    content = weights()
    if kind == "expanded":
        content["video_encoder"]["a.weight"] = torch.ones(1).expand(1 << 20, 1 << 20)
    else:
        whole = torch.ones(1000)
        content["video_encoder"] = {f"{number}": whole for number in range(1000)}
    torch.save(content, path)
    with pytest.raises(ReleaseError, match="bytes, and tensors of"):
        read_checkpoint(path)


def test_a_pipe_is_not_waited_for(path):
    os.mkfifo(path)
    with pytest.raises(ReleaseError, match="a named pipe"):
        read_checkpoint(path)


def test_sizes_of_a_config_take_no_memory_before_the_weights_have_them(write_release, tmp_path):
    root = write_release()
    config = next(root.rglob("model.json"))
    record = json.loads(config.read_text())
    for number, said in ((10**12, "should|not"), (10**30, "cannot be built|does not fit")):
        record["subcfgs"]["text_encoder"]["num_words"] = number
        config.write_text(json.dumps(record))
        with pytest.raises(ReleaseError, match=said):
            import_release(root, tmp_path / "model")
