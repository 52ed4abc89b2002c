from __future__ import annotations

import pytest

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.model.text.vocabulary import Vocabulary


def test_ids_are_rows_and_case_is_kept():
    vocabulary = Vocabulary(ids={"dog": 3, "Dog": 1}, unknown_id=2, size=5)
    assert vocabulary.encode(["dog", "Dog", "DOG"]) == [3, 1, 2]
    assert len(vocabulary) == 5
    assert "dog" in vocabulary
    assert "cat" not in vocabulary


def test_size_follows_the_largest_id():
    assert Vocabulary(ids={"dog": 3}).size == 4


def test_rare_words_can_be_left_out():
    vocabulary = Vocabulary.from_sentences([["b", "a", "b"], ["c", "a"]], min_count=2)
    assert vocabulary.encode(["a", "b", "c"]) == [1, 2, 0]


@pytest.mark.parametrize("ids", [{"dog": 5}, {"dog": -1}])
def test_an_id_outside_the_rows_is_refused(ids):
    with pytest.raises(ConfigError, match="dog"):
        Vocabulary(ids=ids, size=5)


def test_an_unknown_id_outside_the_rows_is_refused():
    with pytest.raises(ConfigError, match="unknown_id is 9"):
        Vocabulary(ids={"dog": 1}, unknown_id=9, size=5)


def test_saved_and_loaded_it_is_equal(tmp_path):
    vocabulary = Vocabulary(ids={"chien": 0, "été": 4, "\ud83d": 1}, unknown_id=2, size=9)
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


@pytest.mark.parametrize("content", ["[]", "{", '{"ids": {}}', '{"ids": {"a": 7}, "unknown_id": 0, "size": 2}'])
def test_a_broken_file_is_refused(tmp_path, content):
    path = tmp_path / "vocabulary.json"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"(not|expected) a vocabulary"):
        Vocabulary.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="missing"):
        Vocabulary.load(tmp_path / "vocabulary.json")
