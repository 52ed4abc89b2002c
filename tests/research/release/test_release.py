from __future__ import annotations

import json
import pickle
import shutil
from functools import partial

import h5py
import numpy as np
import pytest
import torch

from hgrkit.errors import CheckpointError, ConfigError, FeatureFileError, MissingPathError, ReleaseError
from hgrkit.model.checkpoint import load_model
from hgrkit.research.release.experiment import evaluate_release, train_release
from hgrkit.research.release.importing import import_release


def scores_of(release, model, tmp_path, name="scores.npz"):
    evaluate_release(release, model, scores_out=tmp_path / name)
    with np.load(tmp_path / name, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"text": {"rnn_type": "lstm", "bidirectional": False, "num_roles": 0, "gcn_attention": False}},
        {"text": {"num_layers": 3, "gcn_num_layers": 2, "dropout": 0.4}, "video": {"share_enc": True}},
        {"text": {"gcn_num_layers": 0, "fix_word_embed": True}, "top": {"attn_fusion": "sim", "num_verbs": 9}},
    ],
    ids=["paper", "plain", "deep", "no graph"],
)
def test_every_kind_of_release_is_imported_evaluated_and_trained(write_release, tmp_path, changes):
    release, model = write_release(**changes), tmp_path / "model"
    report = import_release(release, model)
    assert report.to_dict()["embed_dim"] == 16
    measured = evaluate_release(release, model)
    assert measured["video_to_text"]["queries"] == 6
    losses = train_release(release, model, epochs=2, shuffle=False, out=tmp_path / "trained").losses
    again = train_release(release, model, epochs=1, shuffle=False).losses
    assert losses[: len(again)] == again
    assert load_model(tmp_path / "trained").config == load_model(model).config


def test_the_published_layout_gives_the_same_numbers_as_the_flat_one(write_release, tmp_path):
    flat, published = write_release(name="one"), write_release(name="two", published=True, split="tst")
    import_release(flat, tmp_path / "flat")
    import_release(published, tmp_path / "published")
    expected = scores_of(flat, tmp_path / "flat", tmp_path)
    found = scores_of(published, tmp_path / "published", tmp_path)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_what_the_limits_leave_out_is_counted(write_release, tmp_path):
    limits = {"num_verbs": 99, "num_nouns": 99, "max_words_in_sent": 99, "max_frames_in_video": 99}
    import_release(write_release(name="one"), tmp_path / "tight")
    import_release(write_release(name="two", top=limits), tmp_path / "wide")
    assert all(evaluate_release(tmp_path / "one", tmp_path / "tight")["omitted"].values())
    wide = evaluate_release(tmp_path / "two", tmp_path / "wide")["omitted"]
    assert wide == {"actions": 0, "entities": 0, "tokens": 0, "frames": 0}


def test_scores_are_sorted_by_name_and_caption(write_release, tmp_path):
    import_release(write_release(), tmp_path / "model")
    scores = scores_of(tmp_path / "release", tmp_path / "model", tmp_path)
    names, captions = scores["video_names"].tolist(), scores["captions"].tolist()
    assert names == sorted(names)
    assert captions == sorted(set(captions))
    assert scores["level_scores"].shape == (3, len(names), len(captions))
    assert scores["level_scores"].dtype == np.float32


def test_the_split_tst_is_evaluated_before_val_and_trn(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    for split, count in (("val", 4), ("tst", 2)):
        np.save(release / f"{split}_names.npy", np.load(release / "trn_names.npy")[:count])
        shutil.copy(release / "trn_ft.hdf5", release / f"{split}_ft.hdf5")
        assert evaluate_release(release, tmp_path / "model")["video_to_text"]["queries"] == count


def test_a_video_without_captions_counts_as_missed(write_release, tmp_path):
    release = write_release()
    captions = json.loads((release / "ref_captions.json").read_text())
    captions["a0"] = []
    (release / "ref_captions.json").write_text(json.dumps(captions))
    import_release(release, tmp_path / "model")
    assert evaluate_release(release, tmp_path / "model")["video_to_text"]["queries"] == 6


def test_the_highest_epoch_is_read_unless_a_checkpoint_is_named(write_release, tmp_path):
    release = write_release()
    weights = torch.load(release / "epoch.0.th", weights_only=True)
    weights["video_encoder"]["ft_attn.bias"] += 5
    torch.save(weights, release / "epoch.12.th")
    (release / "epoch.3.th").write_bytes(b"not read")
    assert import_release(release, tmp_path / "last").checkpoint.name == "epoch.12.th"
    named = import_release(release, tmp_path / "first", checkpoint="epoch.0.th")
    assert named.checkpoint.name == "epoch.0.th"
    first, last = load_model(tmp_path / "first"), load_model(tmp_path / "last")
    assert (last.video.pooling.bias - first.video.pooling.bias).item() == pytest.approx(5)


def write_log(release, rsums, folder="."):
    for epoch, rsum in rsums.items():
        (release / folder).mkdir(exist_ok=True)
        record = {"ir1": 1.0, "rsum": rsum}
        (release / folder / f"val.epoch.{epoch}.step.{epoch * 10}.json").write_text(json.dumps(record))


def test_the_epoch_with_the_best_logged_rsum_is_imported_and_the_report_says_why(write_release, tmp_path):
    release = write_release()
    weights = (release / "epoch.0.th").read_bytes()
    for epoch in (2, 3, 10, 11):
        (release / f"epoch.{epoch}.th").write_bytes(weights)
    assert import_release(release, tmp_path / "model").checkpoint.name == "epoch.11.th"
    write_log(release, {0: 90.0, 2: 120.5, 3: 120.5, 10: 119.9, 25: 150.0}, folder="log")  # 25 was not kept
    report = import_release(release, tmp_path / "model")
    assert report.checkpoint.name == "epoch.2.th"
    assert report.chosen == "the best validation Rsum, 120.5, of 4 epochs with a checkpoint and a log"
    assert report.to_dict()["chosen"] == report.chosen
    assert report.chosen in (tmp_path / "model" / "MODEL_CARD.md").read_text()
    named = import_release(release, tmp_path / "model", checkpoint="epoch.3.th")
    assert (named.checkpoint.name, named.chosen) == ("epoch.3.th", "as it was named")


def test_without_a_log_of_its_checkpoints_the_highest_epoch_is_imported(write_release, tmp_path):
    release = write_release()
    write_log(release, {5: 90.0})
    report = import_release(release, tmp_path / "model")
    assert (report.checkpoint.name, report.chosen) == (
        "epoch.0.th",
        "the highest epoch; no log tells its validation Rsum",
    )


@pytest.mark.parametrize("content", ['{"ir1": 3}', '{"rsum": "high"}', '{"rsum": NaN}', "[]"])
def test_a_log_without_rsum_is_refused(write_release, tmp_path, content):
    release = write_release()
    (release / "val.epoch.0.step.9.json").write_text(content)
    with pytest.raises(ReleaseError, match=r"val\.epoch\.0\.step\.9\.json"):
        import_release(release, tmp_path / "model")


def test_several_results_need_a_named_checkpoint(write_release, tmp_path):
    release = write_release(published=True)
    shutil.copytree(release / "results" / "RET.released" / "run", release / "results" / "RET.released" / "other")
    with pytest.raises(ReleaseError, match="several results"):
        import_release(release, tmp_path / "model")
    checkpoint = release / "results" / "RET.released" / "run" / "model" / "epoch.0.th"
    assert import_release(release, tmp_path / "model", checkpoint=checkpoint).config.parent.name == "run"
    assert len(train_release(release, tmp_path / "model", epochs=1, shuffle=True).losses) > 1


def test_features_of_several_networks_are_put_side_by_side(write_release, tmp_path):
    flat = write_release(name="one", video={"dim_fts": [7, 3]})
    published = write_release(name="two", video={"dim_fts": [7, 3]}, published=True)
    for release in (flat, published):
        import_release(release, tmp_path / f"model-{release.name}")
    expected = scores_of(flat, tmp_path / "model-one", tmp_path)["level_scores"]
    found = scores_of(published, tmp_path / "model-two", tmp_path)["level_scores"]
    np.testing.assert_array_equal(found, expected)


def test_features_of_equal_size_need_the_release_s_paths(write_release, tmp_path):
    release = write_release(video={"dim_fts": [5, 5]}, published=True)
    import_release(release, tmp_path / "model")
    with pytest.raises(ReleaseError, match=r"several orders of them fit.*path\.json"):
        evaluate_release(release, tmp_path / "model")
    files = [f"/their/disk/ordered_feature/SA/{name}/trn_ft.hdf5" for name in ("net0", "net1")]
    paths = release / "results" / "RET.released" / "run" / "path.json"
    paths.write_text(json.dumps({"attn_ft_files": {"trn": files}}))
    assert evaluate_release(release, tmp_path / "model")["Rsum"] > 0


def test_weights_that_do_not_fit_are_listed(write_release, tmp_path):
    release = write_release()
    weights = torch.load(release / "epoch.0.th", weights_only=True)
    weights["text_encoder"]["extra.weight"] = torch.zeros(1)
    weights["text_encoder"]["ft_attn.weight"] = torch.zeros(1, 3)
    del weights["video_encoder"]["level_embeds.1.bias"]
    torch.save(weights, release / "epoch.0.th")
    with pytest.raises(ReleaseError) as caught:
        import_release(release, tmp_path / "model")
    assert "surplus text_encoder.extra.weight" in str(caught.value)
    assert "missing video.projections.1.bias" in str(caught.value)
    assert "text_encoder.ft_attn.weight is [1, 3], not [1, 16]" in str(caught.value)
    assert not (tmp_path / "model").exists()


class Attack:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps(Attack()), pickle.dumps({"video_encoder": 1})])
def test_a_checkpoint_that_holds_more_than_weights_is_never_run(write_release, tmp_path, capsys, content):
    release = write_release()
    (release / "epoch.0.th").write_bytes(content)
    with pytest.raises(ReleaseError) as caught:
        import_release(release, tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert "ran" not in capsys.readouterr().out


def test_names_that_need_a_pickle_are_refused(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    np.save(release / "trn_names.npy", np.array(["a0", None], dtype=object))
    with pytest.raises(ReleaseError, match=r"not a plain array of names.*dtype=str"):
        evaluate_release(release, tmp_path / "model")


@pytest.mark.parametrize(
    "name", ["trn_names.npy", "trn_ft.hdf5", "ref_captions.json", "sent2rolegraph.augment.json"]
)
def test_a_missing_file_is_named_when_it_is_needed(write_release, tmp_path, name):
    release = write_release()
    import_release(release, tmp_path / "model")
    (release / name).unlink()
    with pytest.raises(ReleaseError, match=name.removeprefix("trn")):
        evaluate_release(release, tmp_path / "model")


@pytest.mark.parametrize("name", ["model.json", "word2int.json", "epoch.0.th"])
def test_a_file_that_the_import_needs_is_named(write_release, tmp_path, name):
    release = write_release()
    (release / name).unlink()
    with pytest.raises(ReleaseError, match=name.replace("epoch.0", "epoch.N")):
        import_release(release, tmp_path / "model")


def test_a_video_without_features_is_named(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    with h5py.File(release / "trn_ft.hdf5", "a") as file:
        del file["b_1"]
    with pytest.raises(ReleaseError, match="'b/1'"):
        evaluate_release(release, tmp_path / "model")


def test_features_of_another_size_are_refused(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    shutil.copy(write_release(name="other", video={"dim_fts": [12]}) / "trn_ft.hdf5", release)
    with pytest.raises(ReleaseError, match=r"trn_ft\.hdf5 \(12\); dim_fts is \[10\]"):
        evaluate_release(release, tmp_path / "model")


def test_a_caption_without_a_graph_is_named(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    (release / "sent2rolegraph.augment.json").write_text("{}")
    with pytest.raises(ReleaseError, match="no role graph of the caption"):
        evaluate_release(release, tmp_path / "model")


def test_a_model_json_that_was_changed_after_the_import_is_refused(write_release, tmp_path):
    import_release(write_release(), tmp_path / "model")
    with pytest.raises(ReleaseError, match=r"\['simattn_sigma'\]; import it again"):
        evaluate_release(write_release(top={"simattn_sigma": 9}), tmp_path / "model")


def test_training_is_the_same_in_every_run_even_shuffled(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    steps = []
    runs = [
        train_release(release, tmp_path / "model", epochs=2, shuffle=True, on_progress=steps.append).losses
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != train_release(release, tmp_path / "model", epochs=2, shuffle=False).losses
    assert tuple(step.loss for step in steps[: len(runs[0])]) == runs[0]
    assert steps[-1].step == steps[-1].total == len(runs[0])


def test_frozen_weights_stay_as_they_are(write_release, tmp_path):
    release = write_release(video={"freeze": True}, text={"fix_word_embed": True})
    import_release(release, tmp_path / "model")
    train_release(release, tmp_path / "model", epochs=1, shuffle=False, out=tmp_path / "trained")
    before, after = load_model(tmp_path / "model").state_dict(), load_model(tmp_path / "trained").state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if name.startswith("video.")} | {"text.words.weight"}


def test_nothing_to_train_is_refused(write_release, tmp_path):
    release = write_release(video={"freeze": True}, text={"freeze": True})
    import_release(release, tmp_path / "model")
    with pytest.raises(ReleaseError, match="nothing to train"):
        train_release(release, tmp_path / "model", epochs=1, shuffle=False)
    with pytest.raises(ConfigError, match="epochs"):
        train_release(release, tmp_path / "model", epochs=0, shuffle=False)


def test_paths_that_do_not_exist_are_named(write_release, tmp_path):
    with pytest.raises(MissingPathError, match="nowhere"):
        import_release(tmp_path / "nowhere", tmp_path / "model")
    with pytest.raises(MissingPathError, match=r"epoch\.9\.th"):
        import_release(write_release(), tmp_path / "model", checkpoint="epoch.9.th")
    with pytest.raises(CheckpointError, match="not a model folder"):
        import_release(write_release(), tmp_path)


@pytest.mark.parametrize("run", [evaluate_release, partial(train_release, epochs=1, shuffle=False)])
def test_features_that_are_not_finite_are_refused(write_release, tmp_path, run):
    release = write_release()
    import_release(release, tmp_path / "model")
    with h5py.File(release / "trn_ft.hdf5", "r+") as file:
        next(iter(file.values()))[0] = np.nan
    with pytest.raises(FeatureFileError, match="not finite"):
        run(release, tmp_path / "model")


def test_an_empty_list_of_names_is_refused(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    (release / "trn_names.npy").write_bytes(b"")
    with pytest.raises(ReleaseError, match="trn_names"):
        evaluate_release(release, tmp_path / "model")


def test_nothing_to_train_on_is_said(write_release, tmp_path):
    release = write_release()
    import_release(release, tmp_path / "model")
    captions = json.loads((release / "ref_captions.json").read_text())
    (release / "ref_captions.json").write_text(json.dumps({name: [] for name in captions}))
    with pytest.raises(ReleaseError, match="no caption"):
        train_release(release, tmp_path / "model", epochs=1, shuffle=False)
