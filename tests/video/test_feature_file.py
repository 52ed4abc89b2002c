import io
import os
import sys
import zipfile
from types import SimpleNamespace

import h5py
import lance
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from hgrkit.errors import FeatureFileError, MissingPackageError, MissingPathError
from hgrkit.video.feature_file import FeatureFile

FEATURES = {"a.mp4": np.arange(6, dtype=np.float32).reshape(3, 2), "folder/b": np.ones((1, 2), np.float64)}


@pytest.fixture(params=[".npz", ".hdf5", ".h5", ".HDF5"])
def feature_file(request, tmp_path):
    path = tmp_path / f"features{request.param}"
    if request.param == ".npz":
        np.savez(path, **FEATURES)
    else:
        with h5py.File(path, "w") as file:
            for name, array in FEATURES.items():
                file[name.replace("/", "_")] = array
    return path


def test_features_are_found_by_name_as_float32(feature_file):
    with FeatureFile(feature_file) as features:
        assert len(features) == 2
        for name, array in FEATURES.items():
            assert name in features
            assert features[name].dtype == np.float32
            np.testing.assert_array_equal(features[name], array)
        assert "absent" not in features
        with pytest.raises(KeyError):
            features["absent"]


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((0, 3)), np.array([["a"]]), np.array([[np.nan]]), np.zeros((1, 2, 3))]
)
def test_what_is_no_array_of_features_is_refused_by_name(tmp_path, array):
    np.savez(tmp_path / "f.npz", clip=array)
    with FeatureFile(tmp_path / "f.npz") as features, pytest.raises(FeatureFileError, match="'clip'"):
        features["clip"]


def test_pickles_are_never_read(tmp_path):
    np.savez(tmp_path / "f.npz", clip=np.array([{"a": 1}], dtype=object))
    with FeatureFile(tmp_path / "f.npz") as features, pytest.raises(FeatureFileError, match="clip"):
        features["clip"]


@pytest.mark.parametrize("content", [b"", b"nothing of the kind"], ids=["empty", "other"])
@pytest.mark.parametrize("suffix", [".npz", ".hdf5"])
def test_a_damaged_file_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"f{suffix}"
    path.write_bytes(content)
    with pytest.raises(FeatureFileError, match=r"f\.(npz|hdf5)"):
        FeatureFile(path)


def test_an_array_without_names_is_refused(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((2, 2)))
    (tmp_path / "f.npy").rename(tmp_path / "f.npz")
    with pytest.raises(FeatureFileError, match="by name"):
        FeatureFile(tmp_path / "f.npz")


def test_another_suffix_is_refused(tmp_path):
    (tmp_path / "f.txt").touch()
    with pytest.raises(FeatureFileError, match=r"\.npz, \.hdf5, \.h5, \.parquet and \.lance"):
        FeatureFile(tmp_path / "f.txt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r"absent\.npz"):
        FeatureFile(tmp_path / "absent.npz")


def test_a_group_is_no_array(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_group("clip")
    with FeatureFile(tmp_path / "f.h5") as features, pytest.raises(FeatureFileError, match="clip"):
        features["clip"]


def test_a_damaged_table_of_names_is_refused(tmp_path):
    path = tmp_path / "f.hdf5"
    with h5py.File(path, "w") as file:
        file["clip"] = np.ones((2, 3), np.float32)
    path.write_bytes(path.read_bytes().replace(b"SNOD", b"SNOX"))
    with FeatureFile(path) as features, pytest.raises(FeatureFileError, match="damaged"):
        features["clip"]


def test_numbers_beyond_float32_are_refused_without_a_warning(tmp_path):
    np.savez(tmp_path / "f.npz", clip=np.full((1, 2), 1e300))
    with FeatureFile(tmp_path / "f.npz") as features, pytest.raises(FeatureFileError, match="not finite"):
        features["clip"]


# tables of ids and vectors -------------------------------------------------------------------------------------

IDS = ["a.mp4", "a.mp4", "b.mp4", "folder/c", "folder/c", "a.mp4"]
VECTORS = np.arange(18, dtype=np.float32).reshape(6, 3)
TABLES = (".parquet", ".lance", ".npz")


def write_table(path, columns, **how):
    table = pa.table(columns)
    if path.suffix == ".lance":
        lance.write_dataset(table, path)
    else:
        parquet.write_table(table, path, **how)
    return path


def lists(rows, size=None, kind=None):
    kind = kind or pa.float32()
    return pa.array([list(map(float, row)) for row in rows], pa.list_(kind, size or -1))


def write(path, ids=IDS, vectors=VECTORS):
    if path.suffix == ".npz":
        np.savez(path, ids=np.array(ids), vectors=vectors)
        return path
    return write_table(path, {"id": ids, "time_s": range(len(ids)), "vector": lists(vectors, 3)})


@pytest.mark.parametrize("suffix", TABLES)
def test_rows_of_one_id_are_the_frames_of_a_video_in_their_order(tmp_path, suffix):
    with FeatureFile(write(tmp_path / f"t{suffix}")) as features:
        assert list(features) == ["a.mp4", "b.mp4", "folder/c"]
        np.testing.assert_array_equal(features["a.mp4"], VECTORS[[0, 1, 5]])
        np.testing.assert_array_equal(features["b.mp4"], VECTORS[2:3])
        assert features["folder/c"].dtype == np.float32
        assert "absent" not in features


@pytest.mark.parametrize("kind", [pa.float16(), pa.float64(), pa.int32()])
@pytest.mark.parametrize("name", ["vectors", "features", "embedding"])
def test_columns_may_be_called_and_kept_otherwise(tmp_path, kind, name):
    numbers = pa.array([row.astype(kind.to_pandas_dtype()) for row in VECTORS], pa.list_(kind))
    path = write_table(tmp_path / "t.parquet", {"video": IDS, name: numbers})
    with FeatureFile(path) as features:
        np.testing.assert_array_equal(features["a.mp4"], VECTORS[[0, 1, 5]])


@pytest.mark.parametrize("suffix", [".parquet", ".lance"])
def test_a_row_may_hold_all_frames_of_a_video(tmp_path, suffix):
    rows = pa.array([VECTORS[:2].tolist(), VECTORS[2:].tolist()], pa.list_(pa.list_(pa.float32())))
    path = write_table(tmp_path / f"t{suffix}", {"name": ["a", "b"], "features": rows})
    with FeatureFile(path) as features:
        np.testing.assert_array_equal(features["a"], VECTORS[:2])
        np.testing.assert_array_equal(features["b"], VECTORS[2:])


def test_parquet_is_read_by_row_groups(tmp_path, monkeypatch):
    path = write_table(
        tmp_path / "t.parquet",
        {"id": [str(row // 3) for row in range(12)], "vector": lists(np.eye(12))},
        row_group_size=4,
    )
    with FeatureFile(path) as features:
        read = []
        real = features._file._file.read_row_group
        monkeypatch.setattr(
            features._file,
            "_file",
            SimpleNamespace(read_row_group=lambda g, **how: read.append(g) or real(g, **how)),
        )
        np.testing.assert_array_equal(np.concatenate([features[name] for name in features]), np.eye(12))
        assert read == [0, 1, 2], "each once, though videos lie across their borders"
        monkeypatch.undo()


def test_a_row_group_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hgrkit.video.feature_table._LARGEST_ROW_GROUP", 10)
    with pytest.raises(FeatureFileError, match="row_group_size=10000"):
        FeatureFile(write(tmp_path / "t.parquet"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"key": ["a"], "vector": lists([[1]])},
            "no column of ids, called id, video, path or name; it has key, vector",
        ),
        (
            {"id": ["a"], "values": lists([[1]])},
            "no column of vectors, called vector, vectors, features or embedding",
        ),
        ({"id": ["a", None], "vector": lists([[1], [2]])}, "row 1 has no id"),
        ({"id": [1], "vector": lists([[1]])}, "row 0 has no id, or one that is no text"),
    ],
)
def test_tables_without_ids_or_vectors_are_refused(tmp_path, columns, message):
    with pytest.raises(FeatureFileError, match=message):
        FeatureFile(write_table(tmp_path / "t.parquet", columns))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (pa.array([1.0, 2.0]), "lists of numbers"),
        (lists([[1], [2, 3]]), "all must be alike"),
        (pa.array([[1.0], None]), "without gaps"),
        (pa.array([[1.0], [None]]), "all must be alike"),
        (lists([[1], [np.nan]]), "not finite"),
        (pa.array([["a"], ["b"]]), "must be numbers"),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".lance"])
def test_vectors_that_are_none_are_refused_by_name(tmp_path, suffix, vectors, message):
    path = write_table(tmp_path / f"t{suffix}", {"id": ["x", "x"], "vector": vectors})
    with FeatureFile(path) as features, pytest.raises(FeatureFileError, match=f"(?s)'x'.*{message}"):
        features["x"]


@pytest.mark.parametrize("suffix", [".parquet", ".lance"])
def test_a_damaged_table_is_refused(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FeatureFileError, match=rf"t\{suffix}' cannot be read as"):
        FeatureFile(path)


def test_a_table_of_more_numbers_than_its_bytes_can_mean_is_refused(tmp_path):
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(40_000 * 64, np.float32)), 64)
    path = write_table(tmp_path / "t.parquet", {"id": ["a"] * 40_000, "vector": zeros}, compression="zstd")
    with pytest.raises(FeatureFileError, match="more than 64 times what is stored is not read"):
        FeatureFile(path)


def test_ids_and_vectors_of_an_npz_must_fit(tmp_path):
    np.savez(tmp_path / "t.npz", ids=np.array(IDS[:2]), vectors=VECTORS)
    with pytest.raises(FeatureFileError, match=r"must have ids \[N\], strings, and vectors"):
        FeatureFile(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("suffix", "module", "extra"), [(".parquet", "pyarrow", "parquet"), (".lance", "lance", "lance")]
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, suffix, module, extra):
    path = write(tmp_path / f"t{suffix}")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackageError, match=rf"hgrkit\[{extra}\]"):
        FeatureFile(path)


# files of strangers --------------------------------------------------------------------------------------------


def refused(path, said, name="clip"):
    """Ask for a video, and be refused in one line, without the memory that the file speaks of."""
    with pytest.raises(FeatureFileError, match=said) as caught, FeatureFile(path) as features:
        features[name]
    assert "\n" not in str(caught.value)
    assert "precious" not in str(caught.value)


@pytest.fixture
def elsewhere(tmp_path):
    """Files outside that somebody would like to have read."""
    (tmp_path / "raw").write_bytes(np.ones((2, 4), np.float32).tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["clip"] = np.ones((2, 4), np.float32)
    return tmp_path


def external_storage(file, elsewhere):
    file.create_dataset("clip", (2, 4), np.float32, external=[(str(elsewhere / "raw"), 0, 32)])


def virtual(file, elsewhere):
    layout = h5py.VirtualLayout((2, 4), np.float32)
    layout[:] = h5py.VirtualSource(str(elsewhere / "other.h5"), "clip", (2, 4))
    file.create_virtual_dataset("clip", layout)


def virtual_without_end(file, elsewhere):
    layout = h5py.VirtualLayout((2, 4), np.float32, maxshape=(None, 4))
    source = h5py.VirtualSource(str(elsewhere / "other-%b.h5"), "clip", (1, 4))
    layout[0 : h5py.h5s.UNLIMITED : 1, :] = source
    file.create_virtual_dataset("clip", layout)


def external_link(file, elsewhere):
    file["clip"] = h5py.ExternalLink(str(elsewhere / "other.h5"), "clip")


def soft_link_through_an_external_one(file, elsewhere):
    file["door"] = h5py.ExternalLink(str(elsewhere / "other.h5"), "/")
    file["clip"] = h5py.SoftLink("/door/clip")


MADE = [external_storage, virtual, virtual_without_end, external_link, soft_link_through_an_external_one]


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_nothing_leads_to_another_file(elsewhere, make):
    path = elsewhere / "f.h5"
    with h5py.File(path, "w") as file:
        make(file, elsewhere)
    refused(path, r"lies in another file|is a link, which is not followed")


def test_a_group_behind_an_external_link_is_not_entered(elsewhere):
    with h5py.File(elsewhere / "f.h5", "w") as file:
        file["door"] = h5py.ExternalLink(str(elsewhere / "other.h5"), "/")
    refused(elsewhere / "f.h5", "'door' in .* is a link", name="door/clip")


def test_names_in_groups_are_found(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["folder/clip"] = np.ones((2, 4), np.float32)
    with FeatureFile(tmp_path / "f.h5") as features:
        assert features["folder/clip"].tolist() == np.ones((2, 4)).tolist()
        assert "folder/absent" not in features
        assert "absent/clip" not in features
        assert "folder/clip/more" not in features
        assert "" not in features
        assert "." not in features


@pytest.mark.parametrize("shape", [(1 << 40, 1024), (1 << 20, 128)], ids=str)
def test_a_size_that_no_byte_stands_behind_is_refused_before_memory_is_taken(tmp_path, shape):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("clip", shape, np.float32, chunks=(1024, 128))
    refused(tmp_path / "f.h5", r"it is stored in \d+ chunks|but takes 0 bytes")


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_what_grows_too_much_is_refused_and_what_grows_as_features_do_is_read(tmp_path, suffix):
    rng = np.random.default_rng(0)
    sparse = np.where(rng.random((500, 512)) < 0.05, rng.random((500, 512)), 0).astype(np.float32)
    arrays = {
        "clip": np.zeros((50_000, 512), np.float32),
        "sparse": sparse,
        "short": np.zeros((100, 512), np.float32),
    }
    path = tmp_path / f"f.{suffix}"
    if suffix == "npz":
        np.savez_compressed(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, compression="gzip", compression_opts=9)
    refused(path, r"more than 64 times what is stored is not read")
    with FeatureFile(path) as features:
        for name in ("sparse", "short"):
            np.testing.assert_array_equal(features[name], arrays[name])


@pytest.mark.parametrize(
    ("chunk", "dtype"), [((1 << 15, 1024), np.float32), ((1, 1), np.uint8)], ids=["one chunk", "tiny chunks"]
)
def test_chunks_that_cost_more_than_the_array_are_refused(tmp_path, chunk, dtype):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("clip", (2048, 1024), dtype, chunks=chunk, maxshape=(None, None))
        made[:1, :4] = 1
    refused(tmp_path / "f.h5", "it is stored in")


def test_a_filter_that_would_have_to_be_loaded_is_not_looked_for(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("clip", data=np.ones((8, 8), np.float32), chunks=(4, 8), compression="gzip")
    path = tmp_path / "f.h5"
    content = path.read_bytes()
    assert content.count(b"deflate") == 1
    at = content.index(b"deflate") - 8  # number of the filter, length of its name, flags, number of its values
    path.write_bytes(content[:at] + (32001).to_bytes(2, "little") + content[at + 2 :])
    refused(path, r"compressed by the filters \[32001\]")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4", np.int8, np.uint64])
def test_numbers_of_any_kind_are_read_in_pieces(tmp_path, monkeypatch, order, dtype):
    array = np.arange(60).reshape(20, 3).astype(dtype, order=order)
    np.savez(tmp_path / "f.npz", clip=array)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["clip"] = array
    monkeypatch.setattr("hgrkit.video.feature_file._PIECE_BYTES", 7)
    for suffix in ("npz", "h5"):
        with FeatureFile(tmp_path / f"f.{suffix}") as features:
            np.testing.assert_array_equal(features["clip"], array.astype(np.float32))


def test_an_archive_that_is_cut_off_or_says_too_much_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 20, 64)})
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("clip.npy", header.getvalue() + bytes(8 << 20))
    refused(tmp_path / "f.npz", "ends .* bytes before its last number")


def test_a_table_of_names_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("hgrkit.video.feature_file._MOST_NAMES_BYTES", 10_000)
    np.savez(tmp_path / "few.npz", clip=np.ones((1, 1)))
    with FeatureFile(tmp_path / "few.npz") as features:
        assert list(features) == ["clip"]
    np.savez(tmp_path / "f.npz", **{f"v{number}": np.ones((1, 1)) for number in range(500)})
    refused(tmp_path / "f.npz", "its table of names has more than 10000 bytes")


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_a_pipe_is_no_feature_file(tmp_path, suffix):
    os.mkfifo(tmp_path / f"f.{suffix}")
    with pytest.raises(MissingPathError, match="no feature file"):
        FeatureFile(tmp_path / f"f.{suffix}")
