"""Each adapter reads its published schema; the samples are made up and tiny."""

from __future__ import annotations

import numpy as np
import pytest

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.research.datasets.catalogue import benchmark
from hgrkit.research.datasets.clips import read_flickr8k_captions


def texts(read):
    return [(caption.video, caption.text) for caption in read.captions]


def published_msr_vtt():
    return {
        "videos": [
            {"video_id": "video1", "split": "train"},
            {"video_id": "video7010", "split": "test"},
            {"video_id": "video7011", "split": "test"},
        ],
        "sentences": [
            {"video_id": "video7011", "caption": " a cat sleeps ", "sen_id": 40},
            {"video_id": "video7010", "caption": "a dog runs", "sen_id": 20},
            {"video_id": "video7010", "caption": "a dog plays", "sen_id": 21},
            {"video_id": "video1", "caption": "a man sings", "sen_id": 0},
        ],
    }


def test_msr_vtt_reads_the_published_file_and_takes_the_test_split_from_it(write, tmp_path):
    write("MSRVTT_data.json", published_msr_vtt())
    read = benchmark("msr-vtt/full", annotations=tmp_path)
    assert [video.name for video in read.videos] == ["video7010", "video7011"]
    assert texts(read) == [
        ("video7010", "a dog runs"),
        ("video7010", "a dog plays"),
        ("video7011", "a cat sleeps"),
    ]
    assert [caption.id for caption in read.captions] == ["video7010#20", "video7010#21", "video7011#40"]


def test_msr_vtt_reads_the_test_file_alone(write, tmp_path):
    content = published_msr_vtt()
    content["videos"], content["sentences"] = content["videos"][1:], content["sentences"][:3]
    write("test_videodatainfo.json", content)
    assert len(benchmark("msr-vtt/full", annotations=tmp_path).captions) == 3


def test_the_repackaged_captions_give_the_same_records_as_the_published_ones(write, tmp_path):
    write("a/MSRVTT_data.json", published_msr_vtt())
    repackaged = [
        {"video": "video7010.mp4", "caption": ["a dog runs", "a dog plays"]},
        {"video": "video7011.mp4", "caption": ["a cat sleeps"]},
    ]
    write("b/captions_official_test_2990.json", repackaged)
    first, second = (benchmark("msr-vtt/full", annotations=tmp_path / name) for name in "ab")
    assert first.videos == second.videos
    assert texts(first) == texts(second)


def test_miech_takes_the_first_caption_of_each_listed_video(write, tmp_path):
    write("MSRVTT_data.json", published_msr_vtt())
    write("test_list_miech.txt", "video7010\nvideo1\n")
    read = benchmark("msr-vtt/1k-miech", annotations=tmp_path)
    assert texts(read) == [("video7010", "a dog runs"), ("video1", "a man sings")]


def test_a_caption_with_a_comma_stays_whole_in_the_jsfusion_list(write, tmp_path):
    write(
        "MSRVTT_JSFUSION_test.csv",
        'key,vid_key,video_id,sentence\nret0,msr9770,video9770,"a man, a dog and a cat"\n',
    )
    assert texts(benchmark("msr-vtt/1k-a", annotations=tmp_path)) == [("video9770", "a man, a dog and a cat")]


def test_vatex_keeps_the_listed_half_and_its_english_captions(write, tmp_path):
    records = [
        {"videoID": f"id{n}_000001_000011", "enCap": [f"a {n}", f"b {n}"], "chCap": ["x"]} for n in range(3)
    ]
    write("vatex_validation_v1.0.json", records)
    write("public_split/tst_names.npy", np.array(["id2_000001_000011", "id0_000001_000011"]))
    half = benchmark("vatex", annotations=tmp_path)
    assert [video.name for video in half.videos] == ["id2_000001_000011", "id0_000001_000011"]
    assert {text for _, text in texts(half)} == {"a 0", "b 0", "a 2", "b 2"}
    assert len(benchmark("vatex/val", annotations=tmp_path).captions) == 6


def test_youcook2_makes_a_clip_of_every_validation_step(write, tmp_path):
    steps = [
        {"id": 0, "segment": [90, 102], "sentence": "chop the onion"},
        {"id": 1, "segment": [110, 121], "sentence": "fry it"},
    ]
    database = {
        "abc": {"duration": 200.0, "subset": "validation", "annotations": steps},
        "xyz": {"duration": 100.0, "subset": "training", "annotations": steps},
    }
    write("yc2_annotations_trainval.json", {"database": database})
    clip = benchmark("youcook2", annotations=tmp_path).videos[1]
    assert (clip.name, clip.source, clip.start_s, clip.end_s, clip.duration_s) == ("abc_1", "abc", 110, 121, 11)


def test_tgif_names_pictures_after_the_end_of_their_address(write, tmp_path):
    base = "https://38.media.tumblr.com"
    write("tgif-v1.0.tsv", f"{base}/1/a_500.gif\ta man waves\n{base}/2/b.gif\ta cat\n{base}/1/a_500.gif\ta wave\n")
    write("splits/test.txt", f"{base}/1/a_500.gif\n")
    assert texts(benchmark("tgif", annotations=tmp_path)) == [("a_500", "a man waves"), ("a_500", "a wave")]


@pytest.mark.parametrize(
    ("name", "listed"),
    [("test_list.txt", "b_3_9\n"), ("youtube_mapping.txt", "a_1_2 vid1300\nb_3_9 vid1301\n")],
    ids=["list", "mapping"],
)
def test_msvd_takes_the_test_clips_from_a_list_or_from_the_numbers(write, tmp_path, name, listed):
    write("AllVideoDescriptions.txt", "# a comment\n\na_1_2 a man runs\nb_3_9 a squirrel eats\nb_3_9 it eats\n")
    write(name, listed)
    assert texts(benchmark("msvd", annotations=tmp_path)) == [("b_3_9", "a squirrel eats"), ("b_3_9", "it eats")]


def activitynet():
    return {
        "v_a": {"duration": 55.15, "timestamps": [[0.28, 9], [13.79, 54.32]], "sentences": ["One.", "  Two. "]},
        "v_b": {"duration": 20, "timestamps": [[0, 20]], "sentences": ["Three."]},
    }


def test_a_paragraph_joins_the_sentences_of_a_video_with_single_spaces(write, tmp_path):
    write("val_1.json", activitynet())
    read = benchmark("activitynet-captions/paragraph", annotations=tmp_path)
    assert texts(read) == [("v_a", "One. Two."), ("v_b", "Three.")]
    assert read.sentences == 3
    assert read.captions[0].start_s is None


def test_a_sentence_of_activitynet_carries_its_moment_and_its_video_a_duration(write, tmp_path):
    write("val_1.json", activitynet())
    read = benchmark("activitynet-captions", annotations=tmp_path)
    moments = [(caption.text, caption.start_s, caption.end_s) for caption in read.captions]
    assert moments == [("One.", 0.28, 9), ("Two.", 13.79, 54.32), ("Three.", 0, 20)]
    assert [video.duration_s for video in read.videos] == [55.15, 20]


def test_charades_reads_moments_and_takes_durations_where_they_are(write, tmp_path):
    write("charades_sta_test.txt", "3MSZA 24.3 30.4##person turns a light on.\nAMT7R 4.3 12.5##a person smiles.\n")
    assert benchmark("charades-sta", annotations=tmp_path).videos[0].duration_s is None
    write("Charades_v1_test.csv", "id,subject,length\n3MSZA,S1,33.5\n")
    read = benchmark("charades-sta", annotations=tmp_path)
    assert [(video.name, video.duration_s) for video in read.videos] == [("3MSZA", 33.5), ("AMT7R", None)]
    first = read.captions[0]
    assert (first.text, first.start_s, first.end_s) == ("person turns a light on.", 24.3, 30.4)


def test_tvr_reads_moments_durations_and_ids(write, tmp_path):
    record = {
        "vid_name": "friends_1",
        "duration": 61.4,
        "ts": [16.5, 33.9],
        "desc": "Phoebe sings.",
        "desc_id": 90200,
    }
    write("tvr_val_release.jsonl", record)
    read = benchmark("tvr", annotations=tmp_path)
    (caption,), (video,) = read.captions, read.videos
    assert (caption.id, caption.start_s, caption.end_s, video.duration_s) == ("90200", 16.5, 33.9, 61.4)


def test_flickr8k_keeps_the_listed_photographs(write, tmp_path):
    write("Flickr8k.token.txt", "a.jpg#0\tA dog .\nb.jpg#0\tA cat .\na.jpg#1\tA big dog .\n")
    write("Flickr_8k.testImages.txt", "a.jpg\n")
    assert texts(benchmark("flickr8k", annotations=tmp_path)) == [("a.jpg", "A dog ."), ("a.jpg", "A big dog .")]


@pytest.mark.parametrize("split", ["tst", "val", "trn"])
def test_a_release_is_read_from_the_first_split_that_is_there(write, tmp_path, split):
    write(f"public_split/{split}_names.npy", np.array(["b/1", "a0"]))
    write("annotation/RET/ref_captions.json", {"a0": ["a dog"], "b/1": ["a cat", "a dog"]})
    read = benchmark("hgr-release", annotations=tmp_path)
    assert read.split == split
    assert texts(read) == [("b/1", "a cat"), ("b/1", "a dog"), ("a0", "a dog")]
    assert read.complete


def test_a_folder_without_the_file_is_refused_with_what_was_looked_for_and_where(tmp_path):
    (tmp_path / "TVR").mkdir()
    with pytest.raises(MissingPathError, match=r"tvr needs tvr_val_release\.jsonl; looked in .*TVR"):
        benchmark("tvr", annotations=tmp_path)
    with pytest.raises(MissingPathError, match="there is no folder"):
        benchmark("tvr", annotations=tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [
        ("msr-vtt/full", "MSRVTT_data.json", "{"),
        ("msr-vtt/full", "MSRVTT_data.json", []),
        ("msr-vtt/full", "MSRVTT_data.json", {"videos": [], "sentences": [{"caption": "a"}]}),
        ("msr-vtt/full", "captions_official_test_2990.json", [{"video": "a"}]),
        ("msr-vtt/1k-a", "MSRVTT_JSFUSION_test.csv", "video,text\na,b\n"),
        ("activitynet-captions", "val_1.json", {"v_a": {"duration": 1, "sentences": ["a"]}}),
        ("activitynet-captions", "val_1.json", {"v_a": {"duration": 1, "timestamps": [[0]], "sentences": ["a"]}}),
        ("youcook2", "yc2_annotations_trainval.json", {"database": {"a": {}}}),
        ("vatex/val", "vatex_validation_v1.0.json", [{"videoID": "a"}]),
        ("charades-sta", "charades_sta_test.txt", ""),
        ("tvr", "tvr_val_release.jsonl", "[]\n"),
    ],
)
def test_a_file_of_another_shape_is_an_error_that_names_it(write, tmp_path, name, file, content):
    write(file, content)
    with pytest.raises(BenchmarkError, match=file.replace(".", r"\.")):
        benchmark(name, annotations=tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "content", "said"),
    [
        ("vatex/val", "vatex_validation_v1.0.json", [{"videoID": "a", "enCap": []}, {}], "record 1 .*'videoID'"),
        ("activitynet-captions", "val_1.json", {"v_a": {"timestamps": []}}, "'v_a' .*'sentences' is missing"),
        ("youcook2", "yc2_annotations_trainval.json", {"database": {"a": {}}}, "'subset' is missing"),
        ("msr-vtt/full", "MSRVTT_data.json", {"videos": []}, "'sentences' is missing"),
    ],
)
def test_a_file_of_another_shape_is_an_error_that_says_where_and_what_is_missing(
    write, tmp_path, name, file, content, said
):
    write(file, content)
    with pytest.raises(BenchmarkError, match=f"must hold .*{said}"):
        benchmark(name, annotations=tmp_path)


def test_flickr8k_captions_of_a_split_stand_in_the_order_of_its_list(write, tmp_path):
    write("Flickr8k.token.txt", "a.jpg#0\tA dog .\nb.jpg#0\tA cat . \nc.jpg#0\tA cow .\nb.jpg#1\tTwo\tcats .\n")
    write("Flickr_8k.devImages.txt", "b.jpg\na.jpg\n")
    assert list(read_flickr8k_captions(tmp_path, "dev").items()) == [
        ("b.jpg", ["A cat .", "Two\tcats ."]),
        ("a.jpg", ["A dog ."]),
    ]
    with pytest.raises(MissingPathError, match="trainImages"):
        read_flickr8k_captions(tmp_path, "train")


@pytest.mark.parametrize(
    ("captions", "message"),
    [("a.jpg#0 A dog .\n", "cannot be read: 1"), ("b.jpg#0\tA dog .\n", "without captions: a.jpg")],
)
def test_flickr8k_captions_that_are_not_whole_are_refused(write, tmp_path, captions, message):
    write("Flickr8k.token.txt", captions)
    write("Flickr_8k.testImages.txt", "a.jpg\n")
    with pytest.raises(BenchmarkError, match=message):
        read_flickr8k_captions(tmp_path, "test")


# ActivityNet Captions as MS-SL tests on it -----------------------------------------------------------------------

MS_SL_VIDEOS, MS_SL_SENTENCES = 4430, 15753


def ms_sl_lines(videos=MS_SL_VIDEOS, sentences=MS_SL_SENTENCES):
    """A list of the published schema and size: `VIDEO#enc#N the words`, three or four sentences a video."""
    each, more = divmod(sentences, videos)
    counts = [each + (video < more) for video in range(videos)]
    return [
        f"v_{video:011d}#enc#{number} a person does thing {number} , then stops ."
        for video, count in enumerate(counts)
        for number in range(count)
    ]


def val_1_of(lines):
    """What val_1 says of such lines: a moment of ten seconds each, one after the other."""
    records = {}
    for line in lines:
        key, text = line.split(" ", 1)
        own = records.setdefault(key.split("#")[0], {"duration": 50.0, "timestamps": [], "sentences": []})
        start = 10.0 * len(own["timestamps"])
        own["timestamps"].append([start, start + 10.0])
        own["sentences"].append(f" {text.replace(' ,', ',').replace(' .', '.').capitalize()} ")
    return records


def test_the_list_of_ms_sl_has_its_size(write, tmp_path):
    path = write("activitynet/TextData/activitynettest.caption.txt", "\n".join(ms_sl_lines()) + "\n")
    read = benchmark("activitynet-captions/ms-sl", annotations=tmp_path)
    assert read.problems == ()
    assert (len(read.captions), len(read.videos)) == (MS_SL_SENTENCES, MS_SL_VIDEOS)
    assert read.files == (path,)
    first = read.captions[0]
    assert (first.id, first.video) == ("v_00000000000#enc#0", "v_00000000000")
    assert first.text == "a person does thing 0 , then stops ."
    assert first.start_s is None


def test_a_line_that_is_gone_from_the_list_of_ms_sl_is_counted(write, tmp_path):
    write("activitynettest.caption.txt", "\n".join(ms_sl_lines()[1:]))
    (problem,) = benchmark("activitynet-captions/ms-sl", annotations=tmp_path).problems
    assert "15,752 captions, expected 15,753" in problem


def test_lines_without_a_video_or_words_are_named(write, tmp_path):
    write("activitynettest.caption.txt", "v_a#0 a dog\nv_a\n#1 a cat\nv_b a bird\n")
    problems = benchmark("activitynet-captions/ms-sl", annotations=tmp_path).problems
    assert "lines of activitynettest.caption.txt that cannot be read: 2, 3, 4" in problems[-1]


def test_moments_of_the_list_of_ms_sl_are_found_by_their_words(write, tmp_path):
    lines = ms_sl_lines(videos=3, sentences=7)
    write("activitynettest.caption.txt", "\n".join(lines))
    records = val_1_of(lines)
    later = {"v_00000000002": records.pop("v_00000000002")}
    write("val_1.json", records)
    write("val_2.json", later)
    read = benchmark("activitynet-captions/ms-sl", annotations=tmp_path)
    assert [caption.start_s for caption in read.captions] == [0.0, 10.0, 20.0, 0.0, 10.0, 0.0, 10.0]
    assert {video.duration_s for video in read.videos} == {50.0}
    assert [path.name for path in read.files] == ["activitynettest.caption.txt", "val_1.json", "val_2.json"]


def test_words_that_stand_twice_in_a_video_have_its_moments_in_order(write, tmp_path):
    write("activitynettest.caption.txt", "v_a#0 A dog runs.\nv_a#1 a dog runs\nv_a#2 a dog runs\n")
    record = {"duration": 9, "timestamps": [[1, 2], [3, 4]], "sentences": ["A dog runs.", " a dog  runs"]}
    write("val_1.json", {"v_a": record})
    read = benchmark("activitynet-captions/ms-sl", annotations=tmp_path)
    assert [(caption.start_s, caption.end_s) for caption in read.captions] == [(1, 2), (3, 4), (None, None)]


def test_the_list_of_ms_sl_is_not_taken_for_all_of_val_1(write, tmp_path):
    lines = ms_sl_lines(videos=2, sentences=4)
    write("activitynettest.caption.txt", "\n".join(lines[:2]))
    write("val_1.json", val_1_of(lines))
    assert len(benchmark("activitynet-captions/ms-sl", annotations=tmp_path).captions) == 2
    assert len(benchmark("activitynet-captions", annotations=tmp_path).captions) == 4
