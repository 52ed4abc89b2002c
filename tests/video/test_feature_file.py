import sys
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
    monkeypatch.setattr("hgrkit.video.feature_file._LARGEST_ROW_GROUP", 10)
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
