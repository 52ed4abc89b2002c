"""What is refused before anything is made with it, each in one line that says what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import hgrkit_clip
import pytest
import torch
from hgrkit_clip.__main__ import main
from safetensors.torch import load_file, save_file

from hgrkit import Retriever
from hgrkit.errors import CheckpointError, ConfigError, MissingPackageError, ModelNotFoundError


def refuses(folder, error, reason):
    with pytest.raises(error, match=reason) as caught:
        hgrkit_clip.model_config("cpu", str(folder))
    assert "\n" not in str(caught.value)


@pytest.fixture
def copy(clip_folder, tmp_path):
    return shutil.copytree(clip_folder, tmp_path / "copy")


def test_a_model_without_pictures_is_refused(tmp_path, tiny_models):
    refuses(
        tiny_models.write_bert(tmp_path / "bert"), CheckpointError, "no dual encoder: .*'bert', has no get_text"
    )


def test_a_text_side_of_another_width_is_refused(tmp_path, tiny_models):
    folder = tiny_models.write_siglip(tmp_path / "wide", projection_size=40)
    refuses(folder, CheckpointError, "has texts of 40 numbers and pictures of 24")


def test_a_missing_processor_is_named(copy):
    (copy / "preprocessor_config.json").unlink()
    refuses(copy, CheckpointError, "does not say how pictures are prepared: it has no preprocessor_config.json")


def test_a_missing_tokenizer_is_told(copy):
    (copy / "tokenizer.json").unlink()
    refuses(copy, CheckpointError, "copy has no tokenizer")


def test_a_torn_tokenizer_is_told(copy):
    (copy / "tokenizer.json").write_text("{")
    refuses(copy, CheckpointError, "copy cannot be read: ")


def test_a_package_that_a_tokenizer_needs_is_told(copy, monkeypatch):
    def fails(*_, **__):
        raise ImportError("SiglipTokenizer requires the SentencePiece library")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fails)
    (copy / "note.txt").write_text("so that it is loaded again")
    refuses(copy, MissingPackageError, "needs a package that is not installed: .*SentencePiece")


def test_a_folder_of_something_else_is_refused(tmp_path):
    refuses(tmp_path, CheckpointError, "has no config.json, so it is no model of transformers")


def test_a_config_that_is_no_json_is_refused(copy):
    (copy / "config.json").write_text("{")
    refuses(copy, CheckpointError, "copy cannot be read: ")


@pytest.mark.parametrize("kept", [0, 7, 1000])
def test_torn_weights_are_refused(copy, kept):
    content = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(content[:kept])
    refuses(copy, CheckpointError, "copy cannot be read: ")


def test_weights_that_are_missing_are_never_made_up(copy):
    weights = load_file(copy / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    refuses(copy, CheckpointError, "lacks 1 of its weights, first 'text_projection.weight'")


def test_no_weights_at_all_are_told(copy):
    (copy / "model.safetensors").unlink()
    refuses(copy, CheckpointError, r"has no weights \(\*.safetensors\)")


def test_pickles_are_refused_and_converted_on_demand(copy, tmp_path, capsys):
    weights = copy / "model.safetensors"
    torch.save(load_file(weights), copy / "pytorch_model.bin")
    expected = hgrkit_clip.text_encoder("cpu", str(copy)).encode(["a dog"])
    weights.unlink()
    refuses(copy, CheckpointError, "weights as a pickle, pytorch_model.bin, which can run any program")
    assert main([str(copy), str(tmp_path / "safe")]) == 2
    assert "--allow-pickle reads one that you trust" in capsys.readouterr().err
    assert not (tmp_path / "safe").exists()
    assert main([str(copy), str(tmp_path / "safe"), "--allow-pickle"]) == 0
    found = hgrkit_clip.text_encoder("cpu", str(tmp_path / "safe")).encode(["a dog"])
    assert (found == expected).all()
    assert main([str(copy), str(tmp_path / "safe"), "--allow-pickle"]) == 2


def test_a_pickle_that_runs_a_program_runs_none(copy, tmp_path):
    class Program:
        def __reduce__(self):
            return print, ("run",)

    (copy / "model.safetensors").unlink()
    torch.save({"weight": Program()}, copy / "pytorch_model.bin")
    command = [sys.executable, "-m", "hgrkit_clip", copy, tmp_path / "safe", "--allow-pickle"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "safe").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    refuses(tmp_path / "none", ModelNotFoundError, "there is no folder .*none'; give the folder of a model")


def test_without_a_network_a_hub_name_says_what_to_do(tmp_path):
    program = "import hgrkit_clip; hgrkit_clip.model_config('cpu', 'someone/some-clip')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "is neither in the cache nor can it be downloaded" in last
    assert "download it where there is a network, and give its folder" in last


@pytest.mark.parametrize("name", ["clip", "clip:"])
def test_a_model_without_a_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"name the model after the colon, such as clip:FOLDER"):
        Retriever.create(tmp_path / "lib", model=name)
    assert not (tmp_path / "lib").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            "precision=int4",
            r"precision=int4 is not known; .* are precision \(float32, bfloat16, float16\) and compile",
        ),
        ("speed=5", "speed=5 is not known"),
        ("compile=", "compile= is not known"),
    ],
)
def test_an_option_that_is_not_known_is_told(clip_folder, options, reason):
    refuses(f"{clip_folder}?{options}", ConfigError, reason)


def test_pictures_of_any_shape_are_not_compiled(tmp_path, tiny_models):
    folder = tiny_models.write_siglip2(tmp_path / "model")
    refuses(
        f"{folder}?compile=yes", ConfigError, "takes pictures of any shape, which compile=yes does not go with"
    )


def test_a_folder_may_have_a_question_mark_in_its_name(clip_folder, tmp_path):
    folder = shutil.copytree(clip_folder, tmp_path / "which?")
    assert hgrkit_clip.model_config("cpu", str(folder))["name"] == f"clip:{folder}"


def test_prompts_and_weights_are_chosen_in_a_model_folder(clip_folder, tmp_path):
    config = {"format": 1, **hgrkit_clip.model_config("cpu", str(clip_folder))}
    config["text"]["prompts"] = "video"
    config["matcher"]["level_weights"] = [1, 0, 0]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    texts = hgrkit_clip.text_encoder("cpu", str(clip_folder))
    with Retriever.create(tmp_path / "lib", model=tmp_path / "model", device="cpu") as retriever:
        (query,) = retriever.read(["a dog"]).queries
    assert (query.event == texts.encode(["a video of a dog"])[0]).all()
