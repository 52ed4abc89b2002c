"""The Stanza parser on genuine models: its contract, its languages, and what it says when models are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from hgrkit.errors import ConfigError, GraphError, ParserModelsNotFoundError
from hgrkit.parsing.stanza_parser import StanzaParser, find_models
from hgrkit.testing import ParserContract


@pytest.fixture(scope="module")
def models(shared):
    return shared / "models" / "stanza_en"


@pytest.fixture(scope="module")
def parser(models):
    return StanzaParser(dir=models, device="cpu")


@pytest.mark.shared
class TestStanzaParser(ParserContract):
    @pytest.fixture(autouse=True)
    def _use(self, parser):
        self.parser = parser


@pytest.mark.shared
def test_who_does_what_to_whom(parser):
    graph = parser.parse_batch(["A woman who wears a hat throws a ball to a dog."])[0]
    assert str(graph).splitlines()[1:] == [
        "  wears",
        "    ARG0      a woman",
        "    ARG1      a hat",
        "  throws",
        "    ARG0      a woman who wears a hat",
        "    ARG1      a ball",
        "    ARG2      to a dog",
    ]


@pytest.mark.shared
def test_given_tokens_are_kept(parser):
    tokens = ["He", "ca", "n't", "swim-dive", "."]
    assert parser.parse_tokens(tokens).tokens == tuple(tokens)
    assert parser.parse_token_batch([tokens, ["dog"]])[1].tokens == ("dog",)


@pytest.mark.shared
def test_parsing_leaves_the_number_of_threads_as_it_was(parser):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        parser.parse_batch(["a dog runs"])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.shared
def test_ten_thousand_words_are_one_clear_error(parser):
    with pytest.raises(GraphError, match="10000 words is too long for the stanza parser, which reads up to 500"):
        parser.parse_batch(["the dog " * 5000])


@pytest.mark.shared
def test_the_environment_names_the_folder(models, monkeypatch):
    monkeypatch.setenv("HGRKIT_STANZA_DIR", str(models))
    assert find_models() == str(models)
    assert find_models("de") is None


@pytest.mark.shared
def test_a_damaged_model_is_an_error_that_says_how_to_get_it(models, tmp_path):
    folder = tmp_path / "models"
    for path in models.rglob("*"):
        if path.is_file():
            copy = folder / path.relative_to(models)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(b"" if path.parent.name == "pos" else path.read_bytes())
    with pytest.raises(ParserModelsNotFoundError, match=r"stanza\.download\('en'\)"):
        StanzaParser(dir=folder).parse_batch(["a dog runs"])


def test_missing_models_are_an_error_that_says_how_to_get_them(tmp_path):
    with pytest.raises(ParserModelsNotFoundError) as caught:
        StanzaParser(dir=tmp_path).parse_batch(["a dog runs"])
    message = str(caught.value)
    assert f"there is no folder 'en' in {str(tmp_path)!r}" in message
    assert "stanza.download('en')" in message
    assert "HGRKIT_STANZA_DIR" in message
    assert "\n" not in message


def test_an_empty_text_needs_no_models(tmp_path):
    with pytest.raises(GraphError, match="nothing to parse"):
        StanzaParser(dir=tmp_path).parse_batch([" "])


def test_an_unknown_device_is_refused():
    with pytest.raises(ConfigError, match="got 'tpu'"):
        StanzaParser(device="tpu")


def test_another_language_is_another_version():
    assert StanzaParser(language="de").version == "1-de"


def test_naming_the_parser_loads_neither_stanza_nor_torch():
    program = (
        "import sys; from hgrkit.parsing import load_parser; load_parser('stanza');"
        "sys.exit(bool({'stanza', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.gpu
@pytest.mark.shared
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_reads_captions_as_a_cpu_does(parser, models):
    captions = ["a man throws a ball to his dog", "two girls wash the car while a boy watches"]
    assert StanzaParser(dir=models, device="cuda").parse_batch(captions) == parser.parse_batch(captions)


# where Stanza keeps its models ---------------------------------------------------------------------------------


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    for name in ("HGRKIT_STANZA_DIR", "STANZA_RESOURCES_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="each system has a cache folder of its own")
@pytest.mark.usefixtures("empty_home")
def test_models_that_stanza_downloaded_are_found(tmp_path):
    assert find_models() is None
    folder = tmp_path / ".cache" / "stanza" / "1.10.0" / "resources"
    (folder / "en" / "depparse").mkdir(parents=True)
    assert find_models() == str(folder)


@pytest.mark.usefixtures("empty_home")
def test_the_named_folder_hides_all_others(tmp_path, monkeypatch):
    own = tmp_path / "own"
    (own / "en" / "depparse").mkdir(parents=True)
    monkeypatch.setenv("STANZA_RESOURCES_DIR", str(own))
    assert find_models() == str(own)
    monkeypatch.setenv("HGRKIT_STANZA_DIR", str(tmp_path))
    assert find_models() is None
