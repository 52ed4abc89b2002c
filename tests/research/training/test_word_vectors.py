"""How words start: GloVe's text, the released checkpoint, and weights drawn as released."""

from __future__ import annotations

import json
import re

import pytest
import torch

from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.run_config import RunConfig
from hgrkit.research.training.word_vectors import draw_as_released, load_word_vectors

WORDS = ["a", "dog", "runs", "zebra"]


def encoder(**settings):
    vocabulary = Vocabulary.from_sentences([WORDS])
    torch.manual_seed(0)
    return TextEncoder(vocabulary=vocabulary, embed_dim=6, word_dim=3, **settings)


def row(own, word):
    return own.words.weight[own.vocabulary.ids[word]].tolist()


@pytest.mark.parametrize("head", ["", "4 3\n"], ids=["glove", "word2vec"])
def test_words_of_a_text_file_start_from_it_and_others_stay_random(tmp_path, head):
    path = tmp_path / "glove.txt"
    path.write_text(f"{head}dog 1 2 3\nelephant 4 5 6\na -1 0.5 2e-1\ndog 9 9 9\n. . . 1 2 3\n")
    own, before = encoder(), encoder()
    found = load_word_vectors(own, path)
    assert (found.file, found.found, found.missing) == ("glove.txt", 2, 3)  # the unknown word is one
    assert row(own, "dog") == [1, 2, 3]
    assert row(own, "a") == pytest.approx([-1, 0.5, 0.2])
    for word in ("runs", "zebra", "<UNK>"):
        assert row(own, word) == row(before, word)


def write_checkpoint(path, rows):
    torch.save({"text_encoder": {"embedding.we.weight": torch.tensor(rows)}}, path)


@pytest.mark.parametrize("place", [".", "annotation/RET"])
def test_the_released_checkpoint_says_by_its_vocabulary_which_row_is_which_word(tmp_path, place):
    path = tmp_path / "results" / "RET.released" / "word_embeds.glove42b.th" if place != "." else tmp_path / "w.th"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(path, [[0.0] * 3, [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with pytest.raises(ConfigError, match=r"which row is which word; put the release's word2int\.json beside it"):
        load_word_vectors(encoder(), path)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "word2int.json").write_text(json.dumps({"<BOS>": 0, "runs": 1, "dog": 2}))
    own = encoder()
    found = load_word_vectors(own, path)
    assert (found.found, found.missing) == (2, 3)
    assert (row(own, "runs"), row(own, "dog")) == ([1, 2, 3], [4, 5, 6])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog 1 2\n", "line 1: expected 3 finite numbers after the word 'dog', got 2; word_dim must be that"),
        ("x 1 2 3\ndog 1 2 nan\n", "line 2: expected 3 finite numbers after the word 'dog', got 3"),
        ("elephant 1 2 3\n", "has none of the 5 words"),
        ("", "has none of the 5 words"),
    ],
)
def test_a_text_file_that_does_not_fit_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "g.txt").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_word_vectors(encoder(), tmp_path / "g.txt")


def test_a_run_counts_in_its_log_which_words_had_vectors(data_folder):
    text = (data_folder / "run.toml").read_text()
    model = "[model]\n" + 'word_vectors = "glove.txt"\n'
    assert "[model]\n" in text
    text = text.replace("[model]\n", model).replace("epochs = 6", "epochs = 1")
    (data_folder / "run.toml").write_text(text)
    config = RunConfig.read(data_folder / "run.toml")
    with pytest.raises(MissingPathError, match=r"no file of word vectors .*glove\.txt"):
        config.run(data_folder / "out")
    dim = ModelConfig(text=config.model.text)._parts(1).text["word_dim"]
    (data_folder / "glove.txt").write_text(f"man {'1 ' * dim}\ndog {'2 ' * dim}\n".replace(" \n", "\n"))
    config.run(data_folder / "out")
    first = json.loads((data_folder / "out" / "log.jsonl").read_text().splitlines()[0])
    counted = first["about"]["word_vectors"]
    assert (counted["file"], counted["found"]) == ("glove.txt", 2)
    assert counted["missing"] > 5


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_weights_drawn_as_released_have_its_bounds_and_shapes(recurrence):
    own = encoder(recurrence=recurrence, num_layers=2)
    untouched = {name: weight.clone() for name, weight in own.state_dict().items()}
    draw_as_released(own)
    bound = 3**-0.5
    assert own.words.weight.abs().max() <= bound
    assert own.words.weight.abs().max() > bound / 2
    for name, weight in own.rnn.named_parameters():
        if "weight" in name:
            short = weight if weight.shape[0] <= weight.shape[1] else weight.T
            torch.testing.assert_close(short @ short.T, torch.eye(len(short)), atol=1e-5, rtol=0)
        else:
            forget = recurrence == "lstm" and "bias_ih" in name
            assert weight.sum() == (6 if forget else 0)
            assert not forget or bool((weight[6:12] == 1).all())
    rest = [name for name in untouched if not name.startswith(("words", "rnn"))]
    assert all(torch.equal(own.state_dict()[name], untouched[name]) for name in rest)


def test_without_the_setting_fresh_weights_are_as_they_were(clips):
    plain = ModelConfig(embed_dim=8, text={"word_dim": 4})
    with torch.random.fork_rng():
        torch.manual_seed(3)
        expected = TextEncoder.from_captions(
            dict(plain._parts(10).text), clips.graphs, min_count=1, reader=lambda: None
        ).state_dict()
    made = plain.make(clips.graphs, feature_dim=10, seed=3).text.state_dict()
    assert all(torch.equal(made[name], weight) for name, weight in expected.items())
    released = ModelConfig(embed_dim=8, text={"word_dim": 4}, initialisation="released")
    drawn = [released.make(clips.graphs, feature_dim=10, seed=3).text.state_dict() for _ in range(2)]
    assert all(torch.equal(drawn[0][name], weight) for name, weight in drawn[1].items())
    assert not torch.equal(drawn[0]["rnn.weight_hh_l0"], made["rnn.weight_hh_l0"])


@pytest.mark.parametrize("setting", [{"initialisation": "released"}, {"word_vectors": "g.txt"}])
def test_settings_of_an_rnn_are_refused_for_another_text_encoder(setting):
    (name,) = setting
    with pytest.raises(ConfigError, match=f"{name} go with the text encoder 'rnn', but it is 'sentence'"):
        ModelConfig(text_encoder="sentence", **setting)
