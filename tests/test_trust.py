"""A library may name any folder as its model; only folders that its user has used are used."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs
import pytest

from hgrkit import Retriever
from hgrkit.errors import UntrustedModelError
from hgrkit.library import Library
from hgrkit.model.trust import remember_parts, require_trusted
from hgrkit.storage import user_folder
from tests.test_retriever import ColourGrid, save_random_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("models") / "mine")


@pytest.fixture
def library(model, tmp_path):
    with Retriever.create(tmp_path / "library", model=model, frame_encoder=ColourGrid(), device="cpu"):
        return tmp_path / "library"


@pytest.fixture
def stranger(monkeypatch, tmp_path):
    """The same machine, used by somebody who has not used any model yet."""

    def become(name: str = "stranger") -> None:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / name))
        monkeypatch.setenv("APPDATA", str(tmp_path / name))
        monkeypatch.setattr(user_folder, "_REMEMBERED", set())

    become("owner")
    return become


def opened(library: Path, **options: object) -> None:
    encoder = {"frame_encoder": ColourGrid()} if options.get("mode") == "w" else {}
    Retriever.open(library, device="cpu", **encoder, **options).close()


def test_the_user_who_made_a_library_is_asked_nothing(stranger, library):
    opened(library)
    opened(library, mode="w")
    stranger("owner")  # a later process of the same user
    opened(library)


@pytest.mark.parametrize("mode", ["r", "w"])
def test_a_model_by_path_is_asked_for_once(stranger, library, mode):
    stranger()
    with pytest.raises(UntrustedModelError, match="--trust"):
        opened(library, mode=mode)
    opened(library, mode=mode, trust=True)
    stranger()
    opened(library, mode=mode)


def test_a_model_that_the_user_names_needs_no_question(stranger, library, model):
    stranger()
    opened(library, model=model)
    opened(library)


def test_an_upgrade_asks_too(stranger, library):
    stranger()
    with pytest.raises(UntrustedModelError):
        Retriever.upgrade(library, clip_seconds=3, device="cpu", frame_encoder=ColourGrid())


def test_other_content_in_the_same_folder_is_asked_for_again(stranger, tmp_path):
    folder = save_random_model(tmp_path / "changing")
    for name in ("first", "second"):
        library = tmp_path / name
        with Retriever.create(library, model=folder, frame_encoder=ColourGrid(), device="cpu"):
            pass
        if name == "first":
            shutil.rmtree(folder)
            save_random_model(folder, seed=1)
            stranger()
    opened(tmp_path / "second")
    with pytest.raises(UntrustedModelError):
        opened(tmp_path / "first")


def test_a_relative_name_counts_where_it_was_used(stranger, tmp_path, monkeypatch, model):
    for place in ("here", "there"):
        shutil.copytree(model, tmp_path / place / "model")
    with Retriever.create(
        tmp_path / "library", model=model, frame_encoder=ColourGrid(), device="cpu"
    ) as retriever:
        manifest = attrs.evolve(retriever.library.manifest, model="model")
    monkeypatch.chdir(tmp_path / "here")
    remember_parts(manifest)
    require_trusted(manifest, trust=False, library="library")
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(UntrustedModelError):
        require_trusted(manifest, trust=False, library="library")


def test_nothing_of_an_untrusted_model_is_read(stranger, library, model, monkeypatch):
    stranger()
    monkeypatch.setattr("hgrkit.retriever.LoadedModel.load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(UntrustedModelError):
        opened(library)


def test_without_a_folder_of_settings_trust_holds_in_the_process_alone(stranger, library, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    stranger("file")
    with pytest.raises(UntrustedModelError):
        opened(library)
    opened(library, trust=True)
    opened(library)
    with Library.open(library) as read:
        assert read.manifest.model
