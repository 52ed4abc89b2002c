"""What the default model's training writes down of itself."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from hgrkit.model.folder import NOTES_FOLDER
from hgrkit.model.registry import model_folder


def test_an_epoch_is_written_down_with_its_last_step_and_stages_follow_each_other(scripts):
    measured = iter([200.0, 250.0, 240.0])
    records = []
    first = scripts.epoch_log.EpochLog(2, measure=lambda: {"Rsum": next(measured)}, records=records)
    for loss in (4.0, 2.0, 1.0):
        first.step(loss, 0.5)
    assert [(record.epoch, record.steps, record.loss) for record in records] == [(1, 2, 3.0)]
    first.step(2.0, 0.25)
    second = scripts.epoch_log.EpochLog(1, measure=lambda: {"Rsum": next(measured)}, records=records)
    second.step(9.0, 0.1)
    assert [(record.epoch, record.steps, record.loss) for record in records] == [
        (1, 2, 3.0),
        (2, 4, 1.5),
        (3, 5, 9.0),
    ]
    assert [(record.learning_rate, record.dev_rsum, record.best) for record in records] == [
        (0.5, 200.0, True),
        (0.25, 250.0, True),
        (0.1, 240.0, False),
    ]
    notes = scripts.epoch_log.log_notes(records)
    assert [json.loads(line)["epoch"] for line in notes["log.jsonl"].splitlines()] == [1, 2, 3]
    assert "best dev Rsum 250.0 at epoch 2" in ET.fromstring(notes["curve.svg"]).find("{*}title").text


def test_the_installed_models_curve_is_that_of_its_log():
    folder = model_folder("default")
    records = [json.loads(line) for line in (folder / NOTES_FOLDER / "log.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, len(records) + 1))
    title = ET.parse(folder / NOTES_FOLDER / "curve.svg").getroot().find("{*}title").text
    assert title.startswith(f"{len(records)} epochs, loss {records[-1]['loss']:.4g}")
