"""`hgrkit serve`: a page to search in, and the API behind it."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.configuration import configured
from hgrkit.cli.output import echo, printable
from hgrkit.cli.usage import Trust
from hgrkit.errors import ConfigError, MissingPackageError

__all__ = ["serve"]

_NEEDED = ("fastapi", "uvicorn", "python_multipart")


def serve(
    lib: Annotated[Path | None, typer.Argument(metavar="LIB", help="The library.")] = None,
    more: Annotated[
        list[Path] | None,
        typer.Option("--library", "-l", metavar="LIB2", help="Search this library as well; may be repeated."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; other machines can connect to one that is not 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of that address; 0 takes a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(metavar="T", envvar="HGRKIT_TOKEN", help="What clients must know; needed for other hosts."),
    ] = None,
    allow_folder: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Only what lies in this folder may be added; may be repeated."),
    ] = None,
    parser: Annotated[str, typer.Option(help="Parser that reads the questions.")] = "lark",
    device: Annotated[str, typer.Option(help="Where the model runs: auto, cpu, cuda or mps.")] = "cpu",
    trust: Trust = False,
) -> None:
    """Serve a page to search in, and an HTTP API, until it is interrupted."""
    if lib is None and (set_library := configured("library")):
        lib = Path(set_library)
    if lib is None:
        raise ConfigError("serve needs the library to serve; type: hgrkit serve LIB")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # questions are answered side by side
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise MissingPackageError(f"serve needs {' and '.join(missing)}; type: pip install 'hgrkit[serve]'")
    from hgrkit.serve.server import HttpServer
    from hgrkit.serve.settings import ServeSettings

    debug = "--debug" in sys.argv[1:]
    logging.basicConfig(level=logging.INFO if debug else logging.WARNING)
    settings = ServeSettings(
        libraries=(lib, *(more or ())),
        host=host,
        port=port,
        token=token,
        folders=tuple(allow_folder or ()),
        parser=parser,
        device=device,
        trust=trust,
        debug=debug,
    )
    names = printable(", ".join(map(str, settings.libraries)))

    def on_ready(address: str) -> None:
        echo(f"serving {names} at {address}")
        sys.stdout.flush()

    with suppress(KeyboardInterrupt):  # a server's ordinary end
        HttpServer(settings).run(on_ready)
