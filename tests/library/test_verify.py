"""Verifying: every damage is named, nothing is changed, and what is harmless is no damage."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hgrkit.library.head import Head, read_head
from hgrkit.library.history import newest_history, read_log
from hgrkit.library.rebuild import rebuild_database
from hgrkit.library.schema import HEAD, VIDEOS, RowSum

from hgrkit.errors import LibraryMismatchError, LibraryNotFoundError
from hgrkit.library import Library, VideoRecord, verify_library
from hgrkit.library import segment as module
from hgrkit.storage.tensor_file import TensorFile
from hgrkit.testing.store_contract import StoreContract, random_clip

KINDS = ("plain", "compacted", "followed")

each_kind = pytest.mark.parametrize("kind", KINDS)


def record(path: str) -> VideoRecord:
    return VideoRecord(path=path, content="", size=1, mtime_ns=1)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "segments").iterdir())


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


@each_kind
def test_a_library_that_was_closed_is_whole_and_there_is_nothing_to_say(library_of, kind):
    report = verify_library(library_of(kind))
    assert report.whole
    assert report.damages == report.notes == ()
    assert (report.format_version, report.videos) == (2, 10)
    assert report.to_dict()["whole"] is True


def test_a_library_that_was_copied_while_nobody_wrote_is_whole(library_of, answers, tmp_path):
    folder = library_of("followed")
    copy = shutil.copytree(folder, tmp_path / "backup")
    shutil.rmtree(folder)
    assert verify_library(copy).whole
    assert answers(copy).scores


def test_an_empty_library_is_whole(tmp_path):
    Library.create(tmp_path / "lib", StoreContract.manifest).close()
    assert verify_library(tmp_path / "lib").whole


@each_kind
def test_verifying_changes_no_byte_whatever_it_finds(library_of, kind):
    folder = library_of(kind)
    flip(segments(folder)[0], 500)
    (folder / "library.sqlite.tmp").write_bytes(b"x")
    (folder / "segments" / ("0" * 32 + ".safetensors")).write_bytes(b"x")
    before = contents(folder)
    verify_library(folder)
    assert contents(folder) == before


# damage --------------------------------------------------------------------------------------------------------


def damages_of_a_segment():
    yield "emptied", lambda path: path.write_bytes(b"")
    yield "cut in half", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    yield "cut by a byte", lambda path: path.write_bytes(path.read_bytes()[:-1])
    yield "longer by a byte", lambda path: path.write_bytes(path.read_bytes() + b"\0")
    yield "zeroed", lambda path: path.write_bytes(bytes(path.stat().st_size))
    yield "deleted", Path.unlink
    yield "a folder", lambda path: (path.unlink(), path.mkdir())
    yield "a link to nothing", lambda path: (path.unlink(), path.symlink_to("nowhere"))


@each_kind
@pytest.mark.parametrize("damage", [pytest.param(act, id=name) for name, act in damages_of_a_segment()])
def test_every_damaged_segment_is_named_with_the_videos_in_it(library_of, kind, damage):
    folder = library_of(kind)
    with Library.open(folder) as library:
        indexed = set(library.indexed_paths())
    concerned = set()
    for segment in segments(folder):
        copy = shutil.copytree(folder, folder.with_name("copy"))
        damage(copy / "segments" / segment.name)
        report = verify_library(copy)
        assert [found.file for found in report.damages] == [f"segments/{segment.name}"]
        concerned |= set(report.damages[0].videos)
        shutil.rmtree(copy)
    assert concerned == indexed


@each_kind
def test_every_flipped_bit_of_a_segment_is_noticed(library_of, kind):
    folder = library_of(kind)
    segment = segments(folder)[-1]
    whole = segment.read_bytes()
    for place in range(0, len(whole), len(whole) // 40):
        flip(segment, place, place % 8)
        assert [found.file for found in verify_library(folder).damages] == [f"segments/{segment.name}"]
        segment.write_bytes(whole)
    assert verify_library(folder).whole


def test_segments_that_changed_places_are_both_named(library_of):
    folder = library_of("plain")
    first, second, *_ = segments(folder)
    first.rename(folder / "between")
    second.rename(first)
    (folder / "between").rename(second)
    assert {found.file for found in verify_library(folder).damages} == {
        f"segments/{path.name}" for path in (first, second)
    }


@each_kind
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(bytes(path.stat().st_size)),
        Path.unlink,
        lambda path: path.write_bytes(segments(path.parent)[0].read_bytes()),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["emptied", "cut in half", "zeroed", "deleted", "a segment instead", "a folder instead"],
)
def test_a_damaged_database_is_named_and_could_be_rebuilt(library_of, kind, damage):
    folder = library_of(kind)
    damage(folder / "library.sqlite")
    (found,) = verify_library(folder).damages
    assert (found.file, found.remedy) == ("library.sqlite", "rebuild")
    assert len(found.videos) == 10


@each_kind
def test_a_bit_that_flipped_in_the_database_is_noticed_or_means_nothing(library_of, answers, kind):
    folder = library_of(kind)
    database, before = folder / "library.sqlite", answers(folder)
    whole, choice = database.read_bytes(), random.Random(0)
    noticed = 0
    for _ in range(30):
        flip(database, choice.randrange(len(whole)), choice.randrange(8))
        if verify_library(folder).whole:
            answers(folder).assert_same(before)
        else:
            noticed += 1
        database.write_bytes(whole)
    assert noticed


def test_a_format_number_that_flipped_is_damage_where_the_segments_say_otherwise(library_of, tmp_path):
    folder = library_of("plain")
    flip(folder / "library.sqlite", 62)
    (found,) = verify_library(folder).damages
    assert "later format" in found.problem
    shutil.rmtree(folder / "segments")
    with pytest.raises(LibraryMismatchError, match="upgrade hgrkit"):
        verify_library(folder)


def test_an_older_database_is_not_taken_for_the_library(library_of, tmp_path):
    folder = library_of("plain")
    older = tmp_path / "older.sqlite"
    shutil.copy(folder / "library.sqlite", older)
    with Library.open(folder, "w") as library:
        library.add(record("one.mp4"), [random_clip(1)])
        library.add(record("two.mp4"), [random_clip(2)])
    shutil.copy(older, folder / "library.sqlite")
    (found,) = verify_library(folder).damages
    assert (found.file, found.remedy) == ("library.sqlite", "rebuild")
    assert found.videos == ("one.mp4", "two.mp4")


def test_the_database_of_another_library_is_not_taken_for_the_library(library_of):
    folder, other = library_of("followed"), library_of("plain", "other")
    shutil.copy(other / "library.sqlite", folder / "library.sqlite")
    assert [found.file for found in verify_library(folder).damages] == ["library.sqlite"]
    Library.create(other.with_name("empty"), StoreContract.manifest).close()
    shutil.copy(other.with_name("empty") / "library.sqlite", folder / "library.sqlite")
    assert [found.file for found in verify_library(folder).damages] == ["library.sqlite"]


def test_a_segment_whose_vectors_are_no_numbers_is_damage_even_with_matching_digests(tmp_path):
    folder = tmp_path / "lib"
    with Library.create(folder, StoreContract.manifest) as library:
        library.add(record("a"), [random_clip(1)])
    (path,) = segments(folder)
    file = TensorFile.parse(path.read_bytes())
    tensors = {
        name: np.array(tensor)
        for name, tensor in module.segment_tensors(file, clips=1, frames=3, embed_dim=8).items()
    }
    tensors["action"][1, 2] = np.nan
    header = module.tensor_header(tensors, module.segment_metadata(tensors, file.metadata["commit"]))
    path.write_bytes(header + b"".join(tensor.tobytes() for tensor in tensors.values()))
    history = newest_history(read_log(folder).segments.values())
    rebuild_database(folder / "library.sqlite", history)
    (found,) = verify_library(folder).damages
    assert found.problem == "its tensor action holds what is no finite number"
    assert found.videos == ("a",)


def test_rows_that_were_changed_with_all_their_digests_disagree_with_the_log(library_of):
    folder = library_of("plain")
    with sqlite3.connect(folder / "library.sqlite") as connection:
        head = read_head(connection)
        total = RowSum(head.rows)
        ((number, *values),) = VIDEOS.delete(connection, "path = ?", (b"v/0.mp4",), total)
        VIDEOS.insert(connection, [(number, b"v/9.mp4", *values[1:])], total)
        sealed = Head(
            version=head.version,
            videos=head.videos,
            clips=head.clips,
            next_number=head.next_number,
            rows=total.content,
        )
        HEAD.replace(connection, sealed.row())
    connection.close()
    (found,) = verify_library(folder).damages
    assert found.problem == "its commit records do not lead to what the database says"


# what is no damage ---------------------------------------------------------------------------------------------


def test_caches_that_are_damaged_or_gone_are_notes_at_most(library_of):
    folder = library_of("plain")
    graph, description = sorted((folder / "cache").iterdir())
    flip(graph, 100)
    report = verify_library(folder)
    assert report.whole
    assert {note.file for note in report.notes} == {f"cache/{path.name}" for path in (graph, description)}
    shutil.rmtree(folder / "cache")
    assert verify_library(folder).notes == ()


def test_what_a_killed_writer_leaves_is_noted_and_no_damage(library_of):
    folder = library_of("plain")
    leftovers = {
        "library.sqlite.tmp": b"half",
        "writer.lock": json.dumps({"pid": 2**22 + 1, "host": socket.gethostname()}).encode(),
        f"segments/{'0' * 32}.safetensors": b"half",
        f"segments/{'1' * 32}.safetensors.tmp": b"half",
        "notes.txt": b"the user's own",
    }
    for name, content in leftovers.items():
        (folder / name).write_bytes(content)
    report = verify_library(folder)
    assert report.whole
    assert {note.file for note in report.notes} == set(leftovers)
    assert next(note.remark for note in report.notes if note.file == "writer.lock").startswith("left by a writer")


def test_a_library_that_is_being_written_to_is_whole_and_says_who_writes(library_of):
    folder = library_of("plain")
    with Library.open(folder, "w") as library:
        for number in range(3):
            library.add(record(f"{number}.mp4"), [random_clip(number)])
            report = verify_library(folder)
            assert report.whole
            assert report.videos == 11 + number
    noted = {note.file: note.remark for note in report.notes}
    assert noted["writer.lock"] == f"process {os.getpid()} is writing"


def test_a_library_that_is_compacted_meanwhile_is_never_called_damaged(library_of):
    folder = library_of("plain")
    program = (
        "import sys\nfrom hgrkit.library import Library\n"
        "with Library.open(sys.argv[1], 'w') as library:\n"
        "    print('ready', flush=True)\n"
        "    for _ in range(12):\n        library.compact()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    reports = [verify_library(folder)]
    while process.poll() is None:
        reports.append(verify_library(folder))
    process.stdout.close()
    assert all(report.whole for report in reports)
    assert process.returncode == 0


def test_a_commit_that_a_crash_interrupted_is_noted(library_of, tmp_path):
    folder = library_of("plain")
    shutil.copy(folder / "library.sqlite", tmp_path / "before.sqlite")
    with Library.open(folder, "w") as library:
        library.add(record("q.mp4"), [random_clip(1)])
    shutil.copy(tmp_path / "before.sqlite", folder / "library.sqlite")
    report = verify_library(folder)
    assert report.whole
    assert any("the next writer finishes it" in note.remark for note in report.notes)
    Library.open(folder, "w").close()
    assert verify_library(folder).videos == 11


# libraries of the first format, and none at all ----------------------------------------------------------------


def test_a_library_of_the_first_format_is_verified_as_it_is(tmp_path):
    folder = shutil.copytree(Path(__file__).parent / "format_1" / "library", tmp_path / "lib")
    report = verify_library(folder)
    assert report.whole
    assert report.format_version == 1
    segment = segments(folder)[0]
    flip(segment, segment.stat().st_size - 1)
    (found,) = verify_library(folder).damages
    assert found.file == f"segments/{segment.name}"


def test_where_there_is_no_library_there_is_nothing_to_verify(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(LibraryNotFoundError, match="there is no library at"):
            verify_library(path)


def test_a_library_that_may_only_be_read_can_be_verified(library_of):
    folder = library_of("followed")
    program = (
        "import os, sys\n"
        "from hgrkit.library import verify_library\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        "assert not os.access(sys.argv[1], os.W_OK, effective_ids=True)\n"
        "print(verify_library(sys.argv[1]).whole)\n"
    )
    with tempfile.TemporaryDirectory() as parent:  # other users may not enter pytest's own folders
        Path(parent).chmod(0o755)
        copy = shutil.copytree(folder, Path(parent) / "lib")
        for path in [*copy.rglob("*"), copy]:
            path.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", program, copy], capture_output=True, text=True, check=False)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_verifying_needs_neither_torch_nor_a_decoder():
    program = (
        "import sys\nimport hgrkit.library.verify, hgrkit.library.repair, hgrkit.library.export\n"
        "print({'torch', 'av', 'onnxruntime', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
