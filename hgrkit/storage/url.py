"""Paths that are URLs: hgrkit reads files, and says so wherever one is given."""

from __future__ import annotations

import re
from os import PathLike, fspath
from urllib.parse import unquote

__all__ = ["url_remark"]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
"""`pathlib` makes one slash of two; a scheme has two letters at least, a drive of Windows one."""


def url_remark(path: str | PathLike[str]) -> str:
    """What to say of a path that is a URL; empty if it is none.

    >>> url_remark("https://example.org/a.mp4")
    "'https://example.org/a.mp4' is a URL, and hgrkit reads files; download it and give its path."
    >>> url_remark("file:///videos/a%20dog.mp4")
    "'file:///videos/a%20dog.mp4' is a URL; give the path alone: /videos/a dog.mp4"
    >>> url_remark("videos/a.mp4"), url_remark("C:/videos")
    ('', '')
    """
    found = _URL.fullmatch(fspath(path))
    if found is None:
        return ""
    scheme, slashes, rest = found.groups()
    if scheme.lower() == "file":
        host, slash, below = ("", "/", rest) if len(slashes) != 2 else rest.partition("/")
        local = unquote(slash + below if host in ("", "localhost") else f"//{rest}")
        return f"{fspath(path)!r} is a URL; give the path alone: {re.sub('^/(?=[A-Za-z]:/)', '', local)}"
    url = f"{scheme}://{rest}"
    return f"{url!r} is a URL, and hgrkit reads files; download it and give its path."
