"""What a server is told: which libraries, which address, and how much one client may ask of it."""

from __future__ import annotations

from pathlib import Path

import attrs

from hgrkit.checks.address import check_access

__all__ = ["ServeLimits", "ServeSettings"]


@attrs.frozen(kw_only=True)
class ServeLimits:
    """How much one request, one client and all of them together may take.

    Attributes:
        k: hits of one search.
        per_video: hits of one video.
        query_chars: characters of a question.
        where_chars: characters of a filter.
        phrases: phrases that `without` names.
        phrase_chars: characters of one of them.
        json_bytes: of a request's body.
        upload_bytes: of an uploaded example.
        uploads: that arrive at once; each may fill `upload_bytes` of the disk.
        examples: uploaded examples that are kept; the oldest goes first.
        example_s: seconds that one is kept.
        moment_s: length of a moment that is cut to be played.
        videos: videos in one page of the list.
        rate: requests a second of one client address, on average; none is served beyond `burst` at once.
        burst: requests of one client address that may come at once.
        refusals: wrong tokens of one client address in a minute.
        searches: that wait to be answered at most; more are refused, to be tried again.
        requests: that are in the works at most, media included.
        connections: that are open at most.
        header_s: seconds for a request's first line and headers to arrive.
        body_s: seconds for a body of JSON to arrive; uploads have ten times as many.
        send_s: seconds in which a client must take some of an answer.
        thumbnails_bytes: of thumbnails that are kept in memory.
        clips_bytes: of moments that are kept on disk.
    """

    k: int = 100
    per_video: int = 20
    query_chars: int = 2_000
    where_chars: int = 4_000
    phrases: int = 20
    phrase_chars: int = 300
    json_bytes: int = 256 << 10
    upload_bytes: int = 64 << 20
    uploads: int = 8
    examples: int = 64
    example_s: float = 3600.0
    moment_s: float = 300.0
    videos: int = 1_000
    rate: float = 200.0
    burst: int = 600
    refusals: int = 20
    searches: int = 256
    requests: int = 512
    connections: int = 1_024
    header_s: float = 10.0
    body_s: float = 20.0
    send_s: float = 60.0
    thumbnails_bytes: int = 64 << 20
    clips_bytes: int = 2 << 30


@attrs.frozen(kw_only=True)
class ServeSettings:
    """What a server is told.

    Attributes:
        libraries: the folders of the libraries; several are searched as one. Videos are added to the first.
        host: the address to listen at.
        port: of that address; 0 takes a free one.
        token: what a client has to know; needed unless only this machine can connect.
        folders: what may be indexed through the server must lie in one of these. Without any, everything may if
            there is no token, and nothing if there is one.
        parser: reads the questions.
        device: where the model runs.
        trust: use the model folder that the first library names although it was not used here before.
        debug: log the traces of errors.
        limits: how much clients may ask for.

    Raises:
        ConfigError: if others can connect and there is no token, or the token is short.
    """

    libraries: tuple[Path, ...]
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = attrs.field(default=None, repr=False)
    folders: tuple[Path, ...] = ()
    parser: str = "lark"
    device: str = "cpu"
    trust: bool = False
    debug: bool = False
    limits: ServeLimits = attrs.field(factory=ServeLimits)

    def __attrs_post_init__(self) -> None:
        check_access(self.host, self.token)
