import h5py
import numpy as np
import pytest

from hgrkit.errors import FeatureFileError, MissingPathError
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
    with pytest.raises(FeatureFileError, match=r"\.npz, \.hdf5 and \.h5"):
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
