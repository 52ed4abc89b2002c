"""Graphs in ONNX files: looked at before anything of them is computed, and run within limits.

A graph is a program. What a stranger put into one could read other files, never end, or fill the memory. So the
file is read here first, as the bytes that it is made of (protobuf), and only what texts and pictures need is let
through: no external data but files that the caller names, no loops and other subgraphs, no functions, no operators
but those of a list. What then runs gets so much memory and so much time, and no more.
"""

from __future__ import annotations

import atexit
import functools
import math
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, final

import numpy.typing as npt

from hgrkit.errors import CheckpointError
from hgrkit.storage.regular_file import open_regular

__all__ = ["OPERATORS", "OnnxGraph", "look_at_graph"]

OPERATORS = frozenset(
    "Abs Add And ArgMax AveragePool BatchNormalization Cast CastLike Clip Concat Constant ConstantOfShape Conv "
    "ConvInteger Cos CumSum DequantizeLinear Div DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten "
    "Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool Greater GreaterOrEqual GroupNormalization "
    "HardSigmoid HardSwish Identity LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul "
    "MatMulInteger Max MaxPool Min Mish Mod Mul Neg Not Or Pad Pow QLinearConv QLinearMatMul QuantizeLinear "
    "RMSNormalization Range Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape "
    "RotaryEmbedding ScatterND Shape Sigmoid Sign Sin Slice Softmax Softplus Split Sqrt Squeeze Sub Tanh Tile "
    "Transpose Trilu Unsqueeze Where Xor".split()
)
"""ONNX's own operators that transformers and convolutional networks are made of; none has a graph of its own."""

_DOMAINS = ("", "ai.onnx")
_MOST_BYTES = (2 << 30) - 1  # of a protobuf message, by its own rules
_MOST_FIELDS = 500_000  # of one graph; an exported transformer of 24 layers has some 50,000
_MOST_MEMORY = 640 << 20  # for what all graphs of strangers hold beside their weights
_LOAD_S = 30.0
_ARENA = (_MOST_MEMORY, -1, -1, -1)  # the rest as onnxruntime has it

# What a field holds, by message and number: another message, the name of an operator or of a domain. <onnx.proto>
_MESSAGES = {
    "model": {7: "graph", 8: "opset"},
    "graph": {1: "node", 5: "tensor", 14: "quantization"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor"},
    "tensor": {13: "external"},
}
_OPERATOR, _DOMAIN = ("node", 4), ("node", 7)
_REFUSED = {
    ("model", 20): "training steps",
    ("model", 25): "functions of its own",
    ("graph", 15): "sparse tensors",
    ("attribute", 6): "a loop, a branch or another graph within the graph",
    ("attribute", 11): "a loop, a branch or another graph within the graph",
    ("attribute", 21): "references to a function's attributes",
    ("attribute", 22): "sparse tensors",
    ("attribute", 23): "sparse tensors",
}
_DIMS, _TENSOR_TYPE, _STRINGS, _LIES_ELSEWHERE = 1, 2, 8, (13, 14)
_ENTRY_KEY, _ENTRY_VALUE = 1, 2

_Field = tuple[int, int | memoryview]
"""Its number, and a whole number or the bytes of anything else."""

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5

T = TypeVar("T")


@final
class OnnxGraph:
    """A graph of an ONNX file in onnxruntime, which has looked at it before.

    Args:
        path: the file.
        external: names of files beside it that its tensors may lie in; only for graphs of installed packages.
        num_threads: on a CPU; by default one for each core.
        providers: onnxruntime's, in order of preference.

    Attributes:
        inputs: what it takes, by name: the sizes, a name or `None` for one that is free.
        outputs: what it gives, likewise.
        metadata: what its maker noted.

    Raises:
        CheckpointError: if the file cannot be read, or holds what is not run here.
    """

    def __init__(
        self,
        path: Path,
        *,
        external: Collection[str] = (),
        num_threads: int | None = None,
        providers: Sequence[Any] = ("CPUExecutionProvider",),
    ) -> None:
        import onnxruntime

        self._path = path
        content = _content(path)
        look_at_graph(content, path, external=external)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what it would print is in its exceptions
        options.intra_op_num_threads = num_threads or 0
        # idle threads that spin would take the cores from decoding and from numpy
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.load_model_format", "ONNX")  # its own format was not looked at
        if not external:
            _limit_memory()
            options.add_session_config_entry("session.use_env_allocators", "1")
            options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        # with external data by its path, for it lies beside; an installed package's file does not change meanwhile
        model: Any = path if external else content
        # what is computed on loading is under no limit; the default model is as fast without, and loads faster
        left_out = [] if external else ["ConstantFolding"]
        make = functools.partial(
            onnxruntime.InferenceSession, model, options, providers=list(providers), disabled_optimizers=left_out
        )
        self._session = self._within(_LOAD_S, make, f"{path} cannot be loaded")
        self.inputs: Mapping[str, list[Any]] = {item.name: item.shape for item in self._session.get_inputs()}
        self.outputs: Mapping[str, list[Any]] = {item.name: item.shape for item in self._session.get_outputs()}
        self.metadata: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, output: str, feed: Mapping[str, npt.NDArray[Any]], *, seconds: float) -> npt.NDArray[Any]:
        """Compute one output.

        Args:
            output: its name.
            feed: inputs by name.
            seconds: how long it may take.

        Raises:
            CheckpointError: if it takes longer, more memory than graphs get, or fails.
        """
        import onnxruntime

        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        call = functools.partial(self._session.run, [output], dict(feed), options)
        stop = functools.partial(setattr, options, "terminate", True)
        values: npt.NDArray[Any] = self._within(seconds, call, f"{self._path} cannot be computed", stop)[0]
        return values

    def _within(
        self, seconds: float, call: Callable[[], T], failed: str, stop: Callable[[], None] = lambda: None
    ) -> T:
        """Call in a thread that is left to itself when its time is over: no operator can be interrupted."""
        ended: list[T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                ended.append(call())
            except BaseException as error:  # noqa: BLE001 - raised below, by the thread that waits
                errors.append(error)

        thread = threading.Thread(target=work, name="hgrkit-onnx", daemon=True)
        thread.start()
        thread.join(seconds)
        if ended:
            return ended[0]
        if not errors:
            stop()
            atexit.register(_end_at_once, thread)
            raise CheckpointError(f"{failed} in {seconds:.3g} seconds, the longest that it may take.")
        reason = (str(errors[0]).splitlines() or [type(errors[0]).__name__])[0]
        if "vailable memory" in reason or isinstance(errors[0], MemoryError):
            reason = f"it needs more than {_MOST_MEMORY >> 20} MB of memory"
        raise CheckpointError(f"{failed}: {reason[:300]}") from errors[0]


def _end_at_once(thread: threading.Thread) -> None:
    """End the process with status 2 if a run still goes on; onnxruntime before 1.32 would abort it."""
    if thread.is_alive():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(2)


@functools.cache
def _limit_memory() -> None:
    """Give this process's graphs one allocator that hands out so much and no more; onnxruntime takes one, once."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)  # on loading it would print, in colours, what its exceptions say
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    memory = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(*_ARENA))


def _content(path: Path) -> bytes:
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            if (size := os.fstat(file.fileno()).st_size) > _MOST_BYTES:
                raise CheckpointError(f"{path} has {size} bytes; an ONNX file has at most {_MOST_BYTES}.")
            return file.read()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error


def look_at_graph(content: bytes, path: Path, *, external: Collection[str] = ()) -> None:
    """Refuse a graph that holds what is not run here; nothing of it is computed.

    Args:
        content: of the ONNX file.
        path: what it is called, and beside which external data would lie.
        external: names of files that its tensors may lie in.

    Raises:
        CheckpointError: if it is no ONNX file, or holds external data, subgraphs, functions, sparse tensors,
            tensors larger than their bytes, or operators that are not in `OPERATORS`.
    """
    try:
        _Look(path, external).message("model", memoryview(content))
    except _NotProtobufError as error:
        raise CheckpointError(f"{path} is not an ONNX file: {error}.") from None


class _NotProtobufError(Exception):
    """The bytes are no protobuf message."""


class _Look:
    """One look at a file, message by message; both are seen of one that stands twice, which others merge."""

    def __init__(self, path: Path, external: Collection[str]) -> None:
        self._path, self._external = path, external
        self._fields = 0

    def message(self, kind: str, data: memoryview) -> None:
        """Look at a message and all that are in it; `kind` is a key of `_MESSAGES`, or has nothing below."""
        fields = [*self._read(data)]
        for number, value in fields:
            if (what := _REFUSED.get((kind, number))) is not None:
                self._refuse(f"has {what}")
            if (kind, number) == _OPERATOR and (name := _text(value)) not in OPERATORS:
                self._refuse(f"has the operator {name[:60]!r}")
            if (kind, number) == _DOMAIN and (name := _text(value)) not in _DOMAINS:
                self._refuse(f"has an operator of the domain {name[:60]!r}")
            below = _MESSAGES.get(kind, {}).get(number)
            if below == "external":
                self._entry(_bytes(value))
            elif below is not None:
                self.message(below, _bytes(value))
        if kind == "tensor":
            self._measure(fields, len(data))

    def _measure(self, fields: Sequence[_Field], num_bytes: int) -> None:
        """Refuse a tensor that is larger than the bytes that say so."""
        if (_TENSOR_TYPE, _STRINGS) in fields:
            self._refuse("has tensors of text")
        dims = [dim for number, value in fields if number == _DIMS for dim in self._numbers(value)]
        lies_elsewhere = any(number in _LIES_ELSEWHERE for number, _ in fields)
        # one byte holds two of the smallest numbers, and one of the largest, of eight bytes, if it is near zero
        if not lies_elsewhere and (any(dim >= 1 << 63 for dim in dims) or math.prod(dims) > 2 * num_bytes):
            self._refuse(f"has a tensor of {dims} in {num_bytes} bytes")

    def _entry(self, data: memoryview) -> None:
        """A key and a value of where a tensor lies."""
        texts: dict[int, list[str]] = {_ENTRY_KEY: [], _ENTRY_VALUE: []}
        for number, value in self._read(data):
            texts.setdefault(number, []).append(_text(value))
        if not self._external:
            self._refuse("has tensors that lie in another file")
        for name in texts[_ENTRY_VALUE] if "location" in texts[_ENTRY_KEY] else ():
            if name not in self._external or (self._path.parent / name).is_symlink():
                self._refuse(f"has tensors in the file {name[:60]!r}")

    def _numbers(self, value: int | memoryview) -> list[int]:
        """Repeated whole numbers, which may be packed; a tensor has few sizes."""
        if isinstance(value, int):
            return [value]
        sizes: list[int] = []
        at = 0
        while at < len(value) and len(sizes) < 64:
            size, at = _varint(value, at)
            sizes.append(size)
        return sizes

    def _read(self, data: memoryview) -> Iterator[_Field]:
        """Numbers and values of the fields of a message."""
        at = 0
        while at < len(data):
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                self._refuse(f"has more than {_MOST_FIELDS} fields")
            tag, at = _varint(data, at)
            value: int | memoryview
            if tag & 7 == _VARINT:
                value, at = _varint(data, at)
            else:
                length = {_FIXED_64: 8, _FIXED_32: 4}.get(tag & 7)
                if tag & 7 == _BYTES:
                    length, at = _varint(data, at)
                if length is None or at + length > len(data):
                    raise _NotProtobufError(f"byte {at} of a message of {len(data)} starts no field")
                value, at = data[at : at + length], at + length
            yield tag >> 3, value

    def _refuse(self, what: str) -> None:
        raise CheckpointError(f"{self._path} {what}, and such graphs are not run; export it again without.")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A whole number, and where it ends."""
    number = 0
    for place in range(10):
        if at + place >= len(data):
            break
        byte = data[at + place]
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at + place + 1
    raise _NotProtobufError(f"byte {at} of a message of {len(data)} starts no number")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _NotProtobufError("a number stands where a message should")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode("utf-8", "replace")
