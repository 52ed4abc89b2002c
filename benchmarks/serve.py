"""Searches a server from many clients at once while another process indexes, removes and compacts.

    python benchmarks/serve.py ../shared/data/msvd/videos --out benchmarks/results/serve.json

Half of the videos are in the library when `hgrkit serve` starts. Then a writer adds the others one by one, removes
some and compacts; after each commit it asks every question of a plain `Retriever`, so that the answers of all
versions are known. Meanwhile 200 clients ask the same questions of the server, and for ranges of the videos'
bytes. Every answer must be that of one of the versions, numbers to five digits, and every range that of the file.
Last, 16 clients ask 10,000 questions, and the memory of the server (its resident set, without the processes that
decode) is read on the way. Seconds are those of the wall, with the clients on the same machine; `processor_ms` is
what the server itself takes for a search.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import attrs
import httpx
from result_file import arguments, described, write_result

from hgrkit import Retriever

SEED, DIGITS, HITS = 0, 5, 10
PATIENCE_S = 300.0
FEW, MANY = 16, 200
QUESTIONS = (
    "a man plays the guitar",
    "a woman slices an onion in a kitchen",
    "a dog runs over the grass",
    "two people ride a motorcycle",
    "a cat plays with a ball without a dog",
    "someone pours water into a pan",
    "a child sings on a stage",
    "a car",
)


# what the answers may be ---------------------------------------------------------------------------------------


def essence(answer: dict[str, Any]) -> str:
    """An answer without its time and the server's additions, numbers to five digits."""
    own = {"id", "name", "duration_s", "media", "play", "thumbnail"}
    hits = [{name: value for name, value in hit.items() if name not in own} for hit in answer["hits"]]
    return json.dumps(rounded({**answer, "hits": hits, "elapsed_ms": None}), sort_keys=True)


def rounded(value: Any) -> Any:
    """Numbers to five digits."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, DIGITS) + 0.0 if isinstance(value, float) else value


def answers_now(library: Path) -> list[str]:
    """What a plain retriever answers each question."""
    with Retriever.open(library) as reader:
        return [essence(json.loads(json.dumps(reader.search(text, HITS).to_dict()))) for text in QUESTIONS]


def write(library: Path, more: Sequence[Path], told: Queue[list[str]]) -> None:
    """Add videos one by one, remove each third again, compact after each fifth; tell what each version answers."""
    with Retriever.open(library, mode="w") as writer:
        for number, video in enumerate(more, 1):
            writer.index(video)
            told.put(answers_now(library))
            if number % 3 == 0:
                writer.library.remove(str(video.absolute()))
                told.put(answers_now(library))
            if number % 5 == 0:
                writer.library.compact()
                told.put(answers_now(library))
    told.put([])


# the clients ---------------------------------------------------------------------------------------------------


@attrs.define
class Asked:
    """What clients have got.

    Attributes:
        seconds: of each search.
        essences: of the answers, by question.
        ranges: how many ranges of files were right.
        wrong: what no answer should be.
        refused: answers with 429 or 503, which were tried again.
    """

    seconds: list[float] = attrs.field(factory=list)
    essences: list[set[str]] = attrs.field(factory=lambda: [set() for _ in QUESTIONS])
    ranges: int = 0
    wrong: list[str] = attrs.field(factory=list)
    refused: int = 0

    async def search(self, client: httpx.AsyncClient, number: int) -> None:
        """Ask one question."""
        while True:
            began = time.perf_counter()
            answer = await client.post("api/search", json={"query": QUESTIONS[number], "k": HITS})
            if answer.status_code not in (429, 503):
                break
            self.refused += 1
            await asyncio.sleep(float(answer.headers["retry-after"]))
        self.seconds.append(time.perf_counter() - began)
        if answer.status_code != 200:
            self.wrong.append(f"{answer.status_code}: {answer.text[:200]}")
        else:
            self.essences[number].add(essence(answer.json()))

    async def fetch(self, client: httpx.AsyncClient, video: dict[str, Any], rng: random.Random) -> None:
        """Ask for a range of a file."""
        first = rng.randrange(video["size"])
        last = min(first + rng.randrange(1 << 16), video["size"] - 1)
        answer = await client.get(f"media/{video['id']}", headers={"range": f"bytes={first}-{last}"})
        with Path(video["path"]).open("rb") as file:
            file.seek(first)
            right = answer.status_code == 206 and answer.content == file.read(last - first + 1)
        self.ranges += right
        if not right:
            self.wrong.append(f"{answer.status_code}: bytes {first}-{last} of {video['path']}")


async def ask_while_written(address: str, written: asyncio.Task[list[list[str]]], clients: int) -> Asked:
    """Ask with many clients until the writer is done."""
    asked = Asked()
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S, limits=limits) as client:
        videos = (await client.get("api/videos")).json()["videos"]

        async def one(seed: int) -> None:
            rng = random.Random(seed)
            while not written.done():
                await asked.search(client, rng.randrange(len(QUESTIONS)))
                if rng.random() < 0.1:
                    await asked.fetch(client, rng.choice(videos), rng)

        await asyncio.gather(*map(one, range(clients)))
    return asked


async def beside_a_writer(address: str, library: Path, more: Sequence[Path]) -> dict[str, Any]:
    """Many clients beside one writer."""
    context = multiprocessing.get_context("spawn")
    told: Queue[list[str]] = context.Queue()
    first = answers_now(library)
    process = context.Process(target=write, args=(library, more, told))
    process.start()

    async def collect() -> list[list[str]]:
        versions = [first]
        while answers := await asyncio.to_thread(told.get, timeout=PATIENCE_S):
            versions.append(answers)
        return versions

    written = asyncio.create_task(collect())
    asked = await ask_while_written(address, written, MANY)
    process.join()
    versions = await written
    known = [set(column) for column in zip(*versions, strict=True)]
    strange = sum(len(got - right) for got, right in zip(asked.essences, known, strict=True))
    return {
        "clients": MANY,
        "versions": len(versions),
        "searches": len(asked.seconds),
        "different_answers": sum(map(len, asked.essences)),
        "answers_of_no_version": strange,
        "ranges": asked.ranges,
        "failures": asked.wrong,
        "tried_again": asked.refused,
        "milliseconds": quantiles(asked.seconds),
    }


async def many_searches(address: str, pid: int, count: int) -> dict[str, Any]:
    """Many searches of a library that does not change, and the server's memory on the way."""
    asked, megabytes = Asked(), {}
    numbers = iter(range(1, count + 1))
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_S) as client:

        async def one() -> None:
            for number in numbers:
                await asked.search(client, number % len(QUESTIONS))
                if number in (count // 10, count // 2, count):
                    megabytes[str(number)] = resident_megabytes(pid)

        began, busy = time.perf_counter(), processor_seconds(pid)
        await asyncio.gather(*(one() for _ in range(FEW)))
        seconds, busy = time.perf_counter() - began, processor_seconds(pid) - busy
    return {
        "clients": FEW,
        "searches": count,
        "failures": asked.wrong,
        "answers_a_question": max(map(len, asked.essences)),
        "resident_megabytes": megabytes,
        "searches_a_second": round(count / seconds, 1),
        "processor_ms": round(1000 * busy / count, 1),
        "milliseconds": quantiles(asked.seconds),
    }


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50": round(1000 * cuts[49], 1), "p95": round(1000 * cuts[94], 1)}


# the server ----------------------------------------------------------------------------------------------------


def resident_megabytes(pid: int) -> float:
    """What a process holds in memory, on Linux."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def processor_seconds(pid: int) -> float:
    """How long a process has kept processors busy, on Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(library: Path) -> Iterator[tuple[str, int]]:
    """`hgrkit serve`: its address and its process."""
    command = [sys.executable, "-m", "hgrkit", "serve", str(library), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield "http://" + process.stdout.readline().rsplit("http://")[1].strip(), process.pid
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with the status {process.returncode}")
    finally:
        process.terminate()
        process.wait()


def measure(videos: Sequence[Path], folder: Path, searches: int) -> dict[str, Any]:
    """Serve half of the videos, add the others, ask all the time."""
    half = len(videos) // 2
    library = folder / "library"
    with Retriever.create(library) as writer:
        writer.index(*videos[:half])
    with server(library) as (address, pid):
        beside = asyncio.run(beside_a_writer(address, library, videos[half:]))
        alone = asyncio.run(many_searches(address, pid, searches))
    return {"videos": len(videos), "beside a writer": beside, "alone": alone}


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("videos", type=Path, help="a folder of videos")
    parser.add_argument("--first", type=int, default=40, help="how many of them, in the order of their names")
    parser.add_argument("--searches", type=int, default=10_000, help="of the last part")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as place:
        found = sorted(path for path in options.videos.iterdir() if path.is_file())[: options.first]
        result = measure(found, Path(place), options.searches)
    write_result({**described(options, seed=SEED, also=("fastapi", "uvicorn")), **result}, options.out)
