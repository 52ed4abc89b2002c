from __future__ import annotations

import json

import pytest

from hgrkit.errors import CheckpointError, ConfigError, MissingPathError
from hgrkit.research.training.run_folder import check_run_folder


def test_a_new_folder_and_an_empty_one_may_hold_a_run(tmp_path):
    check_run_folder(tmp_path / "new", resume=None)
    check_run_folder(tmp_path, resume=None)
    assert not (tmp_path / "new").exists()


def test_what_a_killed_run_leaves_is_its_own(tmp_path):
    (tmp_path / "writer.lock").touch()
    (tmp_path / "state.safetensors.tmp").touch()
    (tmp_path / ".model.abc").mkdir()
    check_run_folder(tmp_path, resume=None)


@pytest.mark.parametrize("resume", [None, False])
@pytest.mark.parametrize("name", ["library.sqlite", "config.json", "notes.txt"])
def test_a_folder_of_anything_else_is_refused_by_the_name_of_a_file(tmp_path, name, resume):
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=f"'{name}' in it does not belong to a run"):
        check_run_folder(tmp_path, resume=resume)


def test_notes_beside_a_run_are_welcome(tmp_path):
    (tmp_path / "log.jsonl").write_text(json.dumps({"kind": "run"}) + "\n")
    (tmp_path / "notes.txt").touch()
    check_run_folder(tmp_path, resume=None)


@pytest.mark.parametrize("content", ["", "3\n", '{"kind": "other"}\n', "\udcff"])
def test_a_log_of_another_program_is_refused(tmp_path, content):
    (tmp_path / "log.jsonl").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"'log\.jsonl' in it does not belong to a run"):
        check_run_folder(tmp_path, resume=None)


def test_a_model_without_its_state_is_kept_unless_asked(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").touch()
    with pytest.raises(ConfigError, match=r"holds 'model' of a run whose state\.safetensors is gone"):
        check_run_folder(tmp_path, resume=None)
    check_run_folder(tmp_path, resume=False)


def test_a_model_that_is_none_is_refused(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.doc").touch()
    with pytest.raises(CheckpointError, match="is not a model folder"):
        check_run_folder(tmp_path, resume=False)


def test_a_file_and_a_folder_without_a_state_to_go_on_from_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        check_run_folder(tmp_path / "file", resume=None)
    with pytest.raises(MissingPathError, match=r"no state\.safetensors"):
        check_run_folder(tmp_path, resume=True)
