"""Opens networks that are stored as ONNX graphs, for texts and for pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hgrkit.errors import CheckpointError

__all__ = ["open_graph"]


def open_graph(path: Path, *, device: str = "cpu", num_threads: int | None = None) -> Any:
    """An `onnxruntime.InferenceSession` of a graph.

    Args:
        path: the graph's file.
        device: a torch device; on `cuda` it runs where onnxruntime was built for it, and on a CPU otherwise.
        num_threads: of one run; one for each core by default.

    Raises:
        CheckpointError: if onnxruntime cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = num_threads or 0
    # threads that wait for work without sleeping take the cores from decoding, and from other programs
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda") and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        # TF32 would move vectors by 1e-3
        providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": "0"}))
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions share no base below Exception
        raise CheckpointError(f"onnxruntime cannot load {path}: {str(error).splitlines()[0]}") from error
