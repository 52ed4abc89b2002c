from __future__ import annotations

import re
import tomllib

import attrs
import pytest

from hgrkit.checks.arguments import Range
from hgrkit.checks.settings import read_settings
from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.matching.losses import HingeLoss, InfoNCE
from hgrkit.research.training.config import LossConfig, TrainConfig, learning_rate
from hgrkit.research.training.data_config import DataConfig
from hgrkit.research.training.model_config import ModelConfig
from hgrkit.research.training.run_config import RunConfig, example_config, preset_names, with_preset

NEEDED = '[data.train]\ncaptions = "c.json"\nfeatures = ["f.npz"]\n'


def read(folder, text):
    (folder / "run.toml").write_text(text)
    return RunConfig.read(folder / "run.toml")


def test_a_config_that_says_only_the_data_has_every_default(tmp_path):
    config = read(tmp_path, NEEDED)
    assert (config.training, config.loss, config.model) == (TrainConfig(), LossConfig(), ModelConfig())


def test_the_example_config_says_the_defaults_and_nothing_else(tmp_path):
    config = read(tmp_path, example_config())
    assert config.training == TrainConfig()
    assert config.loss == LossConfig()
    plain = attrs.evolve(config.model, text={}, video={}, matcher={})
    assert plain == ModelConfig()


def test_the_example_config_with_its_other_tables_is_valid_too(tmp_path):
    parts = [part for part in example_config().split("\n\n") if part.startswith("# [")]
    tables = [
        tomllib.loads("".join(f"{re.sub('^# ?', '', line)}\n" for line in part.splitlines())) for part in parts
    ]
    data = {name: table for one in tables for name, table in one.get("data", {}).items()}
    DataConfig.read({"train": {"captions": "a", "features": ["b"]}, **data})
    for part, one in zip(parts, tables, strict=True):
        if kind := re.search(r"if text_encoder is (\w+)", part):
            ModelConfig(text_encoder=kind[1], text=one["model"]["text"])


def test_the_example_config_names_every_setting():
    text = example_config()
    for cls in (TrainConfig, LossConfig):
        for field in attrs.fields(cls):
            assert re.search(rf"^{field.name} = ", text, re.MULTILINE)
            assert field.metadata["meaning"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[trainin]\n",
            "has no setting 'trainin'; known: preset, model, data, training, loss. Did you mean 'training'?",
        ),
        ("[training]\nepoch = 3\n", "[training] has no setting 'epoch'; known: epochs, batch_size,"),
        ("[training]\nepochs = 0\n", "[training]: epochs must be a whole number in [1, 1000000], got 0."),
        ("[training]\nepochs = 3.0\n", "epochs must be a whole number in [1, 1000000], got 3.0."),
        ("[training]\nepochs = true\n", "epochs must be a whole number in [1, 1000000], got True."),
        ("[training]\nlearning_rate = nan\n", "learning_rate must be a number in (0, 1000], got nan."),
        ("[training]\nlearning_rate = '1'\n", "learning_rate must be a number in (0, 1000], got '1'."),
        ("[training]\nbetas = [0.9]\n", "betas must be a list of 2, each a number in [0, 1), got (0.9,)."),
        (
            "[training]\nbetas = [0.9, 1.0]\n",
            "betas must be a list of 2, each a number in [0, 1), got (0.9, 1.0).",
        ),
        ("[training]\noptimizer = 'sgd'\n", "optimizer must be 'adam' or 'adamw', got 'sgd'."),
        (
            "[training]\nfoil_levels = ['verb']\n",
            "foil_levels must be a list, each 'event' or 'action' or 'entity', got ('verb',).",
        ),
        (
            "[training]\nfoil_levels = []\n",
            "foil_levels must be some of event, action, entity, each once; got none.",
        ),
        ("[training]\nfoil_levels = ['action', 'action']\n", "each once; got action, action."),
        ("[training]\nfoil_temperature = 0\n", "foil_temperature must be a number in (0, inf), got 0."),
        ("[data.foils]\nfiles = ['f.jsonl']\n", "[data.foils] has no setting 'files'; known: file."),
        (
            "[data.foils]\nfile = 'f.jsonl'\n",
            "[data.foils] does nothing while foil_weight is 0; set it in [training].",
        ),
        (
            "[data.paraphrases]\ncaptions = 'p.json'\n",
            "[data.paraphrases] does nothing while paraphrase_weight is 0; set it in [training].",
        ),
        ("[model.text]\ngraph_start = 'zero'\n", "graph_start must be 'random' or 'identity', got 'zero'."),
        ("[training]\ndrop_last = 1\n", "drop_last must be true or false, got 1."),
        ("[training]\nseed = 'none'\n", "seed must be a whole number in [0, 4294967295], got 'none'."),
        ("training = 3\n", "[training] must be a table of settings, got 3."),
        (
            "[loss]\nkind = 'hinge'\ntemperature = 0.1\n",
            "temperature belong to the loss 'infonce', but kind is 'hinge'.",
        ),
        (
            "[loss]\nkind = 'hinge'\nnegatives = 'some'\n",
            "negatives must be a whole number in [1, inf) or 'hardest' or",
        ),
        ("[loss]\nlevel_weights = [0, 0, 0, 0]\n", "level_weights must not all be 0"),
        ("[model]\ntext_encoder = 'bert'\n", "text_encoder must be 'rnn', 'sentence' or 'phrases', got 'bert'."),
        ("[model.text]\nword_dims = 3\n", "[model.text] has no setting 'word_dims'; known: max_actions,"),
        (
            "[model.text]\nword_dim = 'x'\n",
            "word_dim must be a whole number in [1, 16384], got 'x'.",
        ),
        (
            "[model.matcher]\nlevel_weights = 1\n",
            "[model.matcher]: level_weights must be 3 numbers, for event, action and entity, finite,",
        ),
        ("[model]\nstart = 'default'\nembed_dim = 3\n", "leave out embed_dim; or leave out start."),
        ("[data.dev]\ncaptions = 'd.json'\n", "[data.dev] lacks 'features'; known: captions, features."),
        ("[data.train\n", "is not TOML"),
    ],
)
def test_a_wrong_config_is_one_line_that_says_what_is_known(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read(tmp_path, f"{text}{NEEDED}" if "training = " in text else f"{NEEDED}{text}")
    assert "\n" not in str(caught.value)


def test_data_is_needed_and_so_is_the_file(tmp_path):
    with pytest.raises(ConfigError, match="lacks 'data'"):
        read(tmp_path, "[training]\n")
    with pytest.raises(ConfigError, match="lacks 'train'"):
        read(tmp_path, "[data]\nparser = 'lark'\n")
    with pytest.raises(MissingPathError, match="--show-defaults"):
        RunConfig.read(tmp_path / "nothing.toml")


def test_a_preset_is_what_a_config_starts_from(tmp_path):
    paper = read(tmp_path, f'preset = "paper"\n{NEEDED}')
    assert (paper.model.embed_dim, paper.model.text["graph_layers"], paper.training.epochs) == (1024, 2, 50)
    assert (paper.loss.kind, paper.loss.margin, paper.training.optimizer) == ("hinge", 0.2, "adam")
    own = f"preset = 'paper'\n{NEEDED}[model]\nembed_dim = 64\n[model.text]\ngraph_layers = 0\n"
    changed = read(tmp_path, own)
    assert changed.model.embed_dim == 64
    assert changed.model.text == {**paper.model.text, "graph_layers": 0}
    assert (changed.model.video, changed.training, changed.loss) == (paper.model.video, paper.training, paper.loss)
    assert read(tmp_path, f"preset = 'none'\n{NEEDED}").training == TrainConfig()


@pytest.mark.parametrize("name", ["'papers'", "3", "['paper']"])
def test_a_preset_that_is_unknown_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"there is no preset .*; known: paper"):
        read(tmp_path, f"preset = {name}\n{NEEDED}")


def test_every_preset_makes_a_model_and_a_loss(clips):
    for name in preset_names():
        tables = with_preset({}, name)
        model = ModelConfig(**{**tables["model"], "embed_dim": 8}).make(clips.graphs, feature_dim=4, seed=0)
        assert model.embed_dim == 8
        assert LossConfig(**tables["loss"]).make()
        TrainConfig(**tables["training"])


def test_none_is_an_absent_value(tmp_path):
    config = read(tmp_path, NEEDED + "[training]\npatience = 'none'\n[model.text]\nmax_actions = 'none'\n")
    assert config.training.patience is None
    assert config.model.text == {"max_actions": "none"}


def test_the_library_checks_settings_as_files_do():
    with pytest.raises(ConfigError, match=re.escape("epochs must be a whole number in [1, 1000000], got 0.")):
        TrainConfig(epochs=0)
    assert read_settings(TrainConfig, {"epochs": 3}, "[training]") == TrainConfig(epochs=3)


def test_a_range_knows_its_ends():
    assert [value in Range("[0, 1)") for value in (-0.1, 0, 0.5, 1)] == [False, True, True, False]
    assert [value in Range("(0, 1]") for value in (0, 1, 1.1)] == [False, True, False]
    assert 1e300 in Range("[1, inf)")


def test_the_loss_table_makes_the_loss_that_it_names():
    hinge = LossConfig(kind="hinge", negatives=3, margin=0.1, level_weights=(1, 2, 3, 4)).make()
    assert isinstance(hinge, HingeLoss)
    assert (hinge.num_hardest, hinge.margin, hinge.level_weights) == (3, 0.1, (1, 2, 3, 4))
    infonce = LossConfig(temperature=0.1, learned_temperature=True, soft_targets=0.2).make()
    assert isinstance(infonce, InfoNCE)
    assert infonce.log_temperature.requires_grad
    assert infonce.soft_targets == 0.2


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine_to_its_end():
    config = TrainConfig(learning_rate=2.0, warm_up=0.2, final_rate=0.1)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[:20] == pytest.approx([2.0 * (step + 1) / 20 for step in range(20)])
    assert rates[60] == pytest.approx(2.0 * (0.1 + 0.9 / 2))
    assert rates == sorted(rates[:20]) + sorted(rates[20:], reverse=True)
    assert learning_rate(config, 100, 100) == pytest.approx(0.2)
    constant = attrs.evolve(config, schedule="constant", warm_up=0.0)
    assert {learning_rate(constant, step, 100) for step in range(100)} == {2.0}
