"""Names, folders and what is wrong with them."""

from __future__ import annotations

import pytest

from hgrkit.errors import BenchmarkNotFoundError
from hgrkit.research.datasets.annotation_folder import listed
from hgrkit.research.datasets.catalogue import RECIPES, benchmark, find_recipe

NAMES = [recipe.name for recipe in RECIPES]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("MSR-VTT/1k-A", "msr-vtt/1k-a"),
        ("msrvtt/1kA", "msr-vtt/1k-a"),
        ("msr_vtt/full", "msr-vtt/full"),
        ("msr-vtt", "msr-vtt/full"),
        ("msr-vtt/1k-b", "msr-vtt/1k-miech"),
        ("activitynet-captions/prvr", "activitynet-captions"),
        ("activitynet-captions/val_1", "activitynet-captions"),
        ("activitynet/ms-sl", "activitynet-captions/ms-sl"),
        ("prvr/activitynet-captions/ms-sl", "activitynet-captions/ms-sl"),
        ("activitynet-captions/paragraph", "activitynet-captions/paragraph"),
        ("prvr/charades-sta", "charades-sta"),
        ("charades-sta/test", "charades-sta"),
        ("tvr/val", "tvr"),
        ("vatex/test", "vatex"),
        ("vatex/val", "vatex/val"),
        ("flickr8k/test", "flickr8k"),
        ("hgr-release", "hgr-release"),
    ],
)
def test_a_benchmark_answers_to_the_names_that_papers_use(typed, name):
    assert find_recipe(typed).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_is_found_by_its_own_name_and_says_how_it_is_used(name):
    recipe = find_recipe(name)
    assert recipe.name == name
    assert len(recipe.protocol.split()) > 10
    assert recipe.citation
    assert recipe.files


def test_an_unknown_name_lists_the_known_ones_and_the_nearest():
    with pytest.raises(BenchmarkNotFoundError, match=r"there are msr-vtt/full, .*Did you mean 'charades-sta'\?"):
        find_recipe("charade-sta")


@pytest.mark.parametrize("place", [".", "tvr", "annotations/TVR", "data/annotations/tvr"])
def test_files_are_found_in_the_folder_itself_and_in_its_usual_subfolders(write, tmp_path, place):
    line = '{"vid_name": "a", "duration": 6, "ts": [1, 3], "desc": "A.", "desc_id": 1}'
    path = write(f"{place}/tvr_val_release.jsonl", line)
    assert benchmark("tvr", annotations=tmp_path).files == (path,)
    assert benchmark("tvr", annotations=path).files == (path,)


def test_the_files_of_another_data_set_are_not_taken(write, tmp_path):
    write("msvd/test_list.txt", "a\n")
    write("vatex/vatex_validation_v1.0.json", [{"videoID": "a", "enCap": ["a dog"]}])
    with pytest.raises(FileNotFoundError, match=r"test_list\.txt"):
        benchmark("vatex", annotations=tmp_path)


def test_what_is_missing_and_what_is_surplus_is_named(write, tmp_path):
    write("Flickr8k.token.txt", "a.jpg#0\tA dog .\na.jpg#0\tA dog .\nb.jpg#1\t\nbroken\n")
    write("Flickr_8k.testImages.txt", "a.jpg\nb.jpg\nb.jpg\n")
    read = benchmark("flickr8k", annotations=tmp_path)
    assert not read.complete
    assert list(read.problems) == [
        "flickr8k: 2 captions, expected 5,000; a.jpg has 2 instead of 5, b.jpg has 0 instead of 5",
        "flickr8k: 3 videos, expected 1,000",
        "flickr8k: captions without words: b.jpg#1",
        "flickr8k: captions that are listed twice: a.jpg#0",
        "flickr8k: videos that are listed twice: b.jpg",
        "flickr8k: lines of Flickr8k.token.txt that cannot be read: 4",
        "flickr8k: captions that are missing: a.jpg#1, a.jpg#2, a.jpg#3, a.jpg#4, b.jpg#0 and 3 more",
    ]


def test_a_long_list_is_cut():
    assert listed(map(str, range(1234)), limit=2) == "0, 1 and 1,232 more"
