"""Training on a release as the released code trains: dropout, validation, the best epoch, where weights start."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from statistics import mean, stdev

import numpy as np
import pytest
import torch

from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.model.checkpoint import load_model
from hgrkit.research.release.config import read_config
from hgrkit.research.release.dataset import open_split
from hgrkit.research.release.experiment import evaluate_release, released_loss, train_release
from hgrkit.research.release.importing import import_release
from hgrkit.research.release.layout import ReleaseFolder

WORDS, DIM = 23, 8


@pytest.fixture
def release(write_release):
    """A release with four of its videos as the split val; training on it is fast and jumps about."""
    root = write_release(top={"base_lr": 0.05})
    np.save(root / "val_names.npy", np.load(root / "trn_names.npy")[:4])
    shutil.copy(root / "trn_ft.hdf5", root / "val_ft.hdf5")
    return root


def write_words(path, vectors, **more):
    torch.save({"text_encoder": {"embedding.we.weight": vectors, **more}}, path)
    return path


def test_the_epoch_with_the_best_validation_rsum_is_kept(release, tmp_path):
    import_release(release, tmp_path / "model")
    run = train_release(release, tmp_path / "model", epochs=6, shuffle=True, seed=1, out=tmp_path / "out")
    rsums = [epoch.rsum for epoch in run.epochs]
    assert run.best_epoch == 1 + rsums.index(max(rsums))
    assert run.best_epoch < 6  # or the last would be kept for any reason
    measured = evaluate_release(release, tmp_path / "out")  # val is the first split there is
    assert measured["Rsum"] == max(rsums)
    assert f"epoch {run.best_epoch} is kept" in (tmp_path / "out" / "MODEL_CARD.md").read_text()
    steps = len(run.losses) // 6
    assert [epoch.loss for epoch in run.epochs] == pytest.approx(np.reshape(run.losses, (6, steps)).mean(axis=1))


def test_validation_changes_nothing_of_training_and_without_it_the_last_epoch_is_kept(release, tmp_path):
    import_release(release, tmp_path / "model")
    measured = train_release(release, tmp_path / "model", epochs=3, shuffle=True)
    (release / "val_names.npy").unlink()
    run = train_release(release, tmp_path / "model", epochs=3, shuffle=True)
    assert run.losses == measured.losses
    assert run.best_epoch == 3
    assert [epoch.validation for epoch in run.epochs] == [None] * 3


def test_dropout_is_on_unless_switched_off_and_drawn_with_the_seed(release, tmp_path):
    import_release(release, tmp_path / "model")

    def losses(**how):
        return train_release(release, tmp_path / "model", epochs=1, shuffle=False, **how).losses

    without = losses(dropout=False)
    assert losses(dropout=False, seed=1) == without
    assert losses() == losses(dropout=True, seed=0) != without
    assert losses(seed=1) != losses()


def test_without_a_model_weights_start_as_the_released_code_draws_them(release, tmp_path):
    (release / "epoch.0.th").unlink()  # nothing to import
    settings = json.loads((release / "model.json").read_text())
    (release / "model.json").write_text(json.dumps(settings | {"base_lr": 0}))
    vectors = torch.randn(WORDS, DIM)
    words = write_words(tmp_path / "word_embeds.glove42b.th", vectors, other=torch.zeros(1))
    started = {}
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        run = train_release(release, epochs=1, shuffle=True, seed=seed, word_vectors=words, out=tmp_path / name)
        assert (run.words.found, run.words.missing) == (WORDS, 0)
        started[name] = load_model(tmp_path / name).state_dict()
    torch.testing.assert_close(started["one"]["text.words.weight"], vectors)
    gates = started["one"]["text.rnn.weight_hh_l0"]
    torch.testing.assert_close(gates.T @ gates, torch.eye(16), atol=1e-5, rtol=0)
    assert not any(weight.any() for name, weight in started["one"].items() if "rnn.bias" in name)
    assert all(torch.equal(weight, started["again"][name]) for name, weight in started["one"].items())
    assert not torch.equal(gates, started["two"]["text.rnn.weight_hh_l0"])


def test_word_vectors_of_glove_s_text_replace_those_of_the_words_that_it_has(release, tmp_path):
    settings = json.loads((release / "model.json").read_text())
    (release / "model.json").write_text(json.dumps(settings | {"base_lr": 0}))
    import_release(release, tmp_path / "model")
    before = load_model(tmp_path / "model").text
    (tmp_path / "glove.txt").write_text("w3 1 2 3 4 5 6 7 8\nelephant 0 0 0 0 0 0 0 0\n")
    run = train_release(
        release,
        tmp_path / "model",
        epochs=1,
        shuffle=True,
        word_vectors=tmp_path / "glove.txt",
        out=tmp_path / "out",
    )
    assert (run.words.found, run.words.missing) == (1, WORDS - 1)
    after = load_model(tmp_path / "out").text
    row = before.vocabulary.ids["w3"]
    assert after.words.weight[row].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    others = [other for other in range(WORDS) if other != row]
    assert torch.equal(after.words.weight[others], before.words.weight[others])


class Attack:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Attack()), "cannot be read as a checkpoint of weights only"),
        (
            {"text_encoder": {"embedding.we.weight": torch.zeros(WORDS, 3)}},
            "vectors of 3 numbers, but word_dim is 8",
        ),
        ({"text_encoder": {"embedding.we.weight": torch.zeros(5, DIM)}}, "5 rows, and none for"),
        ({"text_encoder": {"embedding.we.weight": torch.full((WORDS, DIM), math.nan)}}, "must hold text_encoder"),
        ({"video_encoder": {}}, "must hold text_encoder"),
    ],
)
def test_word_vectors_that_do_not_fit_are_refused_and_never_run(release, tmp_path, capsys, content, message):
    path = tmp_path / "words.th"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(ConfigError, match=message) as caught:
        train_release(release, epochs=1, shuffle=False, word_vectors=path)
    assert "\n" not in str(caught.value)
    assert "ran" not in capsys.readouterr().out
    with pytest.raises(MissingPathError, match="no file of word vectors"):
        train_release(release, epochs=1, shuffle=False, word_vectors=tmp_path / "nothing.th")


# with dropout, on the problem of the released code ---------------------------------------------------------------

RELEASED_DROPOUT = {"frames": 0.2, "words": 0.2, "messages": 0.5}
"""By place: on projected frames (mlvideo.py), word vectors (sentence.py) and messages (graph.py)."""
SEEDS, DRAWS = (1, 2, 3), 40


def copy_problem(shared, root, shares):
    """The problem `released` with these shares of dropout, and its model."""
    shutil.copytree(shared / "parity" / "released", root, copy_function=shutil.copyfile)
    root.chmod(0o755)
    settings = json.loads((root / "model.json").read_text())
    settings["subcfgs"]["video_encoder"]["dropout"] = shares["frames"]
    settings["subcfgs"]["text_encoder"] |= {"dropout": shares["words"], "gcn_dropout": shares["messages"]}
    (root / "model.json").unlink()
    (root / "model.json").write_text(json.dumps(settings))
    import_release(root, root.with_name("model"))
    return root.with_name("model")


def thinned(share, generator):
    """A hook that zeroes a share of what a module returns, and scales up the rest."""

    def hook(_module, _inputs, output):
        kept = torch.rand(output.shape, generator=generator) >= share
        return output * kept / (1 - share)

    return hook


def expected(values):
    """Mean and half of its 99.9 % interval."""
    return mean(values), 3.3 * stdev(values) / math.sqrt(len(values))


@pytest.mark.shared
@pytest.mark.parametrize("place", ["all", *RELEASED_DROPOUT])
def test_the_expected_loss_is_that_of_dropout_where_the_released_code_has_it(shared, tmp_path, place):
    shares = {name: share if place in ("all", name) else 0.0 for name, share in RELEASED_DROPOUT.items()}
    root = tmp_path / "release"
    folder = copy_problem(shared, root, shares)
    model, loss = load_model(folder), released_loss(read_config(root / "model.json"))
    dataset = open_split(ReleaseFolder(root), "trn", model, folder)
    videos, captions = zip(*dataset.pairs()[:24], strict=True)
    features, graphs = dataset.videos(videos), dataset.graphs(captions)

    def losses(number):
        with torch.no_grad():
            return [float(loss(model(features, graphs))) for _ in range(number)]

    ours, theirs = [], []
    for seed in SEEDS:
        torch.manual_seed(seed)
        model.train()
        ours += losses(DRAWS)
        model.eval()
        generator = torch.Generator().manual_seed(seed)
        modules = {
            "frames": list(model.video.projections),
            "words": [model.text.words],
            "messages": [layer.context for layer in model.text.graph.layers],
        }
        hooks = [
            module.register_forward_hook(thinned(share, generator))
            for name, share in shares.items()
            for module in modules[name]
            if share
        ]
        theirs += losses(DRAWS)
        for hook in hooks:
            hook.remove()
    (our_mean, our_half), (their_mean, their_half) = expected(ours), expected(theirs)
    assert abs(our_mean - their_mean) <= math.hypot(our_half, their_half)
    # without dropout all losses are the same; with another share of it they differ by another measure
    assert stdev(ours) == pytest.approx(stdev(theirs), rel=0.25)
