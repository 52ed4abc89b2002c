"""Models by name or by folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from hgrkit.errors import ModelNotFoundError, PluginError
from hgrkit.model.registry import DEFAULT_MODEL, MODELS, model_folder

GROUP = "hgrkit.models"


def folder_at(path):
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    return path


@pytest.fixture
def install_model(install_plugin):
    def install(name, folder, **settings):
        source = f"from pathlib import Path\ndef thing():\n    return {folder!r}"
        source = source.replace("PosixPath", "Path").replace("WindowsPath", "Path")
        install_plugin(GROUP, name, source=source, **settings)

    return install


@pytest.mark.parametrize("kind", [str, Path])
def test_a_model_folder_is_taken_as_it_is(tmp_path, kind):
    path = folder_at(tmp_path / "model")
    assert model_folder(kind(path)) == path


@pytest.mark.parametrize("kind", [str, Path])
def test_an_installed_model_is_found_by_name(install_model, tmp_path, kind):
    path = folder_at(tmp_path / "model")
    install_model("tiny-test-model", kind(path))
    assert model_folder("tiny-test-model") == path


def test_default_stands_for_one_installed_model(install_model, tmp_path, monkeypatch):
    path = folder_at(tmp_path / "model")
    monkeypatch.setattr("hgrkit.model.registry.DEFAULT_MODEL", "tiny-test-model")
    install_model("tiny-test-model", path)
    assert model_folder("default") == path
    assert DEFAULT_MODEL == "mini"


def test_a_path_wins_over_a_name(install_model, tmp_path, monkeypatch):
    installed = folder_at(tmp_path / "installed")
    install_model("tiny-test-model", installed)
    monkeypatch.chdir(tmp_path)
    folder_at(tmp_path / "tiny-test-model")
    assert model_folder("tiny-test-model") == Path("tiny-test-model")


def test_an_unknown_name_lists_the_installed_ones_and_says_that_there_is_no_folder(install_model, tmp_path):
    install_model("tiny-test-model", tmp_path)
    with pytest.raises(ModelNotFoundError) as caught:
        model_folder("tiny-test-modle")
    message = str(caught.value)
    assert message.startswith("no model named 'tiny-test-modle'; installed: ")
    assert "'tiny-test-model'" in message
    assert message.endswith("Did you mean 'tiny-test-model'? Nor is there a model folder 'tiny-test-modle'.")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "model/"], ids=["long", "null", "gone"])
def test_a_name_that_cannot_be_a_path_is_no_model(name):
    with pytest.raises(ModelNotFoundError, match="Nor is there a model folder"):
        model_folder(name)


def test_a_folder_that_is_no_model_folder_is_refused(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"is a folder without config\.json"):
        model_folder(tmp_path)


def test_a_name_that_two_packages_bring_is_refused(install_model, tmp_path):
    for distribution in ("one", "two"):
        install_model("tiny-test-model", folder_at(tmp_path / distribution), distribution=distribution)
    with pytest.raises(PluginError, match=r"one 1\.0 and two 1\.0 both provide a model"):
        model_folder("tiny-test-model")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('half installed')", "cannot be loaded.*half installed"),
        ("def thing():\n    raise RuntimeError('no files')", "fails in.*no files"),
        ("thing = 'not callable'", "fails in.*not callable"),
        ("def thing():\n    return None", "must name its folder, got NoneType"),
        ("def thing():\n    return '/nowhere/at/all'", r"has no config\.json in /nowhere/at/all"),
    ],
)
def test_a_broken_model_package_is_named(install_plugin, source, reason):
    install_plugin(GROUP, "tiny-test-model", source=source, distribution="tiny", version="3.0")
    assert "tiny-test-model" in [plugin.name for plugin in MODELS.plugins()]
    with pytest.raises(PluginError, match=rf"'tiny-test-model' \(tiny 3\.0\) {reason}"):
        model_folder("tiny-test-model")
