"""Every exception that hgrkit raises on purpose: one tree, each leaf also the builtin that it specialises."""

from __future__ import annotations

__all__ = [
    "BenchmarkError",
    "BenchmarkNotFoundError",
    "CheckpointError",
    "ConfigError",
    "DamagedLibraryError",
    "DecodeError",
    "DecodeLimitError",
    "DecodeWorkerError",
    "DecoderFaultError",
    "FeatureFileError",
    "FrameEncoderNotFoundError",
    "GraphError",
    "HgrkitError",
    "LibraryError",
    "LibraryExistsError",
    "LibraryLockedError",
    "LibraryMismatchError",
    "LibraryNotFoundError",
    "MissingPackageError",
    "MissingPathError",
    "ModelNotFoundError",
    "ParserModelsNotFoundError",
    "ParserNotFoundError",
    "PluginError",
    "ReleaseError",
    "ShapeError",
    "TextEncoderNotFoundError",
    "UntrustedModelError",
]


class HgrkitError(Exception):
    """Base of everything that hgrkit raises on purpose.

    The message says what is wrong with the actual value, what was expected and what to do next.
    """


class GraphError(HgrkitError, ValueError):
    """A sentence or a role graph breaks a rule of `hgrkit.graph`."""


class ShapeError(HgrkitError, ValueError):
    """An array or tensor has the wrong shape or type for the component that it was given to."""


class ConfigError(HgrkitError, ValueError):
    """A setting or an argument is unknown, missing, of the wrong type or out of its range."""


class CheckpointError(HgrkitError, ValueError):
    """A model folder is incomplete, damaged, or does not fit what it is loaded into."""


class ReleaseError(HgrkitError, ValueError):
    """A folder in the layout of the released HGR code cannot be read as one."""


class BenchmarkError(HgrkitError, ValueError):
    """Captions, annotations or scores cannot be evaluated as asked."""


class BenchmarkNotFoundError(HgrkitError, LookupError):
    """hgrkit knows no benchmark of that name."""


class DecodeError(HgrkitError, ValueError):
    """A video file cannot be decoded to its end."""


class DecodeLimitError(DecodeError):
    """A video asks for more than `hgrkit.video.limits.DecodeLimits` allow."""


class DecoderFaultError(DecodeError):
    """hgrkit or a library below it fails on a video file, or lacks what it takes; the file is not at fault."""


class DecodeWorkerError(HgrkitError, RuntimeError):
    """The processes that decode videos cannot be started."""


class FeatureFileError(HgrkitError, ValueError):
    """A file of frame features (`.npz`, `.hdf5`) does not hold what it should."""


class PluginError(HgrkitError, RuntimeError):
    """An installed plugin fails to import, breaks its protocol, or shares its name with another."""


class ParserNotFoundError(HgrkitError, LookupError):
    """No graph parser of that name is installed."""


class ParserModelsNotFoundError(HgrkitError, FileNotFoundError):
    """The models of a graph parser are not on this machine and cannot be downloaded."""


class FrameEncoderNotFoundError(HgrkitError, LookupError):
    """No frame encoder of that name is installed."""


class TextEncoderNotFoundError(HgrkitError, LookupError):
    """No text encoder of that name is installed."""


class ModelNotFoundError(HgrkitError, LookupError):
    """No model of that name is installed and no model folder has that path."""


class MissingPackageError(HgrkitError, ImportError):
    """A package that only an optional part of hgrkit needs is not installed."""


class MissingPathError(HgrkitError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class LibraryError(HgrkitError, RuntimeError):
    """A library cannot do what was asked of it; base of the library's own errors."""


class LibraryNotFoundError(LibraryError, FileNotFoundError):
    """There is no library at that path."""


class LibraryExistsError(LibraryError, FileExistsError):
    """Something that is not this library is already at that path."""


class LibraryMismatchError(LibraryError, ValueError):
    """A library was made with another model, frame encoder, sampling or format."""


class LibraryLockedError(LibraryError):
    """Another process is writing to the library."""


class DamagedLibraryError(LibraryError, ValueError):
    """A file of the library is not what was written."""


class UntrustedModelError(LibraryError, PermissionError):
    """A library names a model's folder that its user has not used before."""
