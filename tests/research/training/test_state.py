from __future__ import annotations

import json

import attrs
import pytest
import safetensors
import safetensors.torch

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.research.training import state as state_file
from hgrkit.research.training.config import TrainConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.state import STATE_FILE, read_state, write_state
from hgrkit.research.training.trainer import Trainer

SMALL = TrainConfig(epochs=1, batch_size=12, learning_rate=0.01, device="cpu", ema=0.9)


def fit(clips, folder, **arguments):
    model = ModelConfig(embed_dim=8, text={"word_dim": 4}).make(clips.graphs, feature_dim=10, seed=0)
    return Trainer(model, config=attrs.evolve(SMALL, epochs=arguments.pop("epochs", 1))).fit(
        clips, clips, folder=folder, **arguments
    )


@pytest.fixture
def run(clips, tmp_path):
    """A folder whose run stopped after the first of two epochs."""

    class StoppedError(Exception):
        pass

    def stop(progress):
        if progress.step == 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        fit(clips, tmp_path, epochs=2, on_progress=stop)
    return tmp_path


def test_a_state_with_changed_numbers_is_refused(clips, run):
    content = bytearray((run / STATE_FILE).read_bytes())
    for place in range(len(content) - 40, len(content)):
        content[place] ^= 0x55
    (run / STATE_FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is not what was written \(its SHA-256 differs\).*--no-resume"):
        fit(clips, run, epochs=2)


def test_a_state_with_a_changed_record_is_refused(run):
    with safetensors.safe_open(run / STATE_FILE, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    metadata["run"] = metadata["run"].replace('"epoch": 1', '"epoch": 2')
    safetensors.torch.save_file(tensors, run / STATE_FILE, metadata=metadata)
    with pytest.raises(CheckpointError, match="SHA-256"):
        read_state(run)


@pytest.mark.parametrize("lost", ["settings", "log", "sums", "done", "chance", "best_epoch"])
def test_a_state_without_a_part_of_its_record_says_which(clips, run, lost):
    state = read_state(run)
    write_state(attrs.evolve(state, record={k: v for k, v in state.record.items() if k != lost}), run)
    with pytest.raises(CheckpointError, match=f"has no {lost} of the right kind") as caught:
        fit(clips, run, epochs=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("log", [{}, [3], ["epoch"]])
def test_a_log_that_is_none_is_refused(run, log):
    state = read_state(run)
    write_state(attrs.evolve(state, record={**state.record, "log": log}), run)
    with pytest.raises(CheckpointError, match="has no log of the right kind"):
        read_state(run)


@pytest.mark.parametrize("log", [[{}], [{"epoch": 1}]])
def test_a_log_of_other_records_is_one_line(clips, run, log):
    state = read_state(run)
    write_state(attrs.evolve(state, record={**state.record, "log": log}), run)
    with pytest.raises(CheckpointError, match="the state does not fit the run") as caught:
        fit(clips, run, epochs=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        ("model", "video.projections.0.weight", "has no model/video.projections.0.weight"),
        ("best", "video.projections.0.weight", "has no best/video.projections.0.weight"),
        ("average", "video.projections.0.weight", "has no average/video.projections.0.weight"),
        ("chance", "torch", "has no chance/torch"),
        ("loss", "log_temperature", "has no loss/log_temperature"),
        ("optimizer", "0.exp_avg", "has no optimizer/0.exp_avg"),
        ("optimizer", None, "has no optimizer/ of the right kind"),
        ("model", None, "has no model/ of the right kind"),
    ],
)
def test_a_state_without_a_tensor_says_which(clips, run, part, name, message):
    state = read_state(run)
    kept = {} if name is None else {k: v for k, v in state.part(part).items() if k != name}
    write_state(attrs.evolve(state, tensors={**state.tensors, part: kept}), run)
    with pytest.raises(CheckpointError, match=message) as caught:
        fit(clips, run, epochs=2)
    assert "\n" not in str(caught.value)


def test_a_state_of_an_earlier_format_is_refused_in_a_line(run, monkeypatch):
    state = read_state(run)
    monkeypatch.setattr(state_file, "FORMAT", 1)
    write_state(state, run)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"is of another version of hgrkit; start over with --no-resume"):
        read_state(run)


def full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("kept", [STATE_FILE, "log.jsonl", "curve.svg"])
def test_a_full_disk_leaves_what_a_run_has_kept_and_says_what_to_do(clips, run, monkeypatch, kept):
    before = (run / kept).read_bytes()
    monkeypatch.setattr("hgrkit.storage.atomic_file.os.fsync", full)
    message = r"cannot write .*: the disk is full; free some space and run the same command again"
    with pytest.raises(OSError, match=message):
        fit(clips, run, epochs=2)
    assert (run / kept).read_bytes() == before
    monkeypatch.undo()
    assert len(fit(clips, run, epochs=2).log) == 2


def test_a_full_disk_while_a_state_is_written_names_the_state(clips, run, monkeypatch):
    before = (run / STATE_FILE).read_bytes()
    write = state_file.write_atomically
    monkeypatch.setattr(state_file, "write_atomically", lambda path, *content: full() if content else write(path))
    with pytest.raises(OSError, match=rf"cannot write {run / STATE_FILE}: the disk is full"):
        fit(clips, run, epochs=2)
    assert (run / STATE_FILE).read_bytes() == before


def test_a_run_whose_state_is_gone_is_not_replaced_unless_asked(clips, tmp_path):
    fit(clips, tmp_path)
    (tmp_path / STATE_FILE).unlink()
    log = (tmp_path / "log.jsonl").read_text()
    with pytest.raises(ConfigError, match=r"holds 'log.jsonl' of a run whose state\.safetensors is gone"):
        fit(clips, tmp_path)
    assert (tmp_path / "log.jsonl").read_text() == log
    fit(clips, tmp_path, resume=False)


def test_a_run_that_was_killed_before_its_first_state_just_begins(clips, tmp_path):
    fit(clips, tmp_path)
    (tmp_path / STATE_FILE).unlink()
    first = (tmp_path / "log.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["kind"] == "run"
    (tmp_path / "log.jsonl").write_text(first + "\n")
    assert len(fit(clips, tmp_path).log) == 1
