"""The program that indexes for a server: a process of its own with the ordinary writer, watched by pipes."""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
from typing import Any, BinaryIO, NoReturn

import attrs

from hgrkit.errors import HgrkitError
from hgrkit.indexing.report import IndexProgress
from hgrkit.retriever import Retriever

__all__ = ["work"]


def work(hello: dict[str, Any], orders: BinaryIO) -> NoReturn:
    """Index a folder, and tell of it in lines of JSON, until the pipe of orders is closed.

    Args:
        hello: `library`, `folder`, `parser` and `device`.
        orders: the pipe that the server closes to stop; it closes as well when the server ends, however it ends.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what others print is no answer

    turn = threading.Lock()  # the threads that read files tell, too

    def tell(kind: str, **values: Any) -> None:
        with turn:
            answers.write(json.dumps({"kind": kind, **values}) + "\n")
            answers.flush()

    stopped = threading.Event()

    def on_progress(progress: IndexProgress) -> None:
        tell("done", **attrs.asdict(progress))
        if stopped.is_set():  # an interruption is lost where it comes in a finalizer
            raise KeyboardInterrupt

    threading.Thread(target=_stop_at_the_end_of, args=(orders, stopped), daemon=True).start()
    status = 0
    try:
        with Retriever.open(
            hello["library"], mode="w", parser=hello["parser"], device=hello["device"]
        ) as retriever:
            report = retriever.index(
                hello["folder"], on_progress=on_progress, on_start=lambda path: tell("begun", path=path)
            )
        tell("report", report=report.to_dict())
    except HgrkitError as error:
        tell("failed", line=str(error))
    except OSError as error:
        tell("failed", line=f"{error.filename or 'a file'}: {error.strerror or error}")
    except KeyboardInterrupt:
        tell("stopped")
    except BaseException:  # noqa: BLE001 - the server reads the last line
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stderr.flush()
    os._exit(status)  # the thread that reads orders waits for ever


def _stop_at_the_end_of(orders: BinaryIO, stopped: threading.Event) -> None:
    orders.read()
    stopped.set()
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # also wakes it from waiting
    else:
        _thread.interrupt_main()
