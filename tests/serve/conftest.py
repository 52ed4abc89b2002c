"""Servers over a small real library, with the default model."""

from __future__ import annotations

import shutil
import threading

import httpx
import pytest

from hgrkit.serve.settings import ServeLimits, ServeSettings
from tests.serve.live_server import Made, ids_of, make_library, start_process, stop_process

NO_MODEL = "needs the default model, which is installed as hgrkit-model-mini"


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """Six videos of different kinds and a broken one; nothing of it may be changed."""
    pytest.importorskip("hgrkit_model_mini", reason=NO_MODEL)
    return make_library(tmp_path_factory.mktemp("serve"))


@pytest.fixture
def own(made, tmp_path) -> Made:
    """A copy of the library, to be changed; the videos are the same."""
    return Made(shutil.copytree(made.library, tmp_path / "lib"), made.videos)


@pytest.fixture(scope="session")
def server(made):
    """`hgrkit serve` over the library that is not changed."""
    running = start_process(made.library)
    yield running
    stop_process(running)


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


@pytest.fixture
def start(made):
    """Starts servers of this process with settings of their own; gives a client for each."""
    from hgrkit.serve.server import HttpServer

    stops, clients = [], []

    def start(*libraries, limits=None, **settings):
        chosen = ServeSettings(
            libraries=libraries or (made.library,), port=0, limits=ServeLimits(**(limits or {})), **settings
        )
        server, ready = HttpServer(chosen), threading.Event()
        thread = threading.Thread(target=server.run, args=(lambda _: ready.set(),))
        thread.start()
        stops.append((server, thread))
        assert ready.wait(20)
        clients.append(httpx.Client(base_url=server.address, timeout=60))
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    for server, thread in stops:
        server.stop()
        thread.join(40)
        assert not thread.is_alive()


@pytest.fixture
def ids(client):
    """Ids by the names of the videos."""
    return ids_of(client)
