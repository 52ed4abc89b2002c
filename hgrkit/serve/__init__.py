"""Serves libraries over HTTP: a page to search in, and the API that it and other programs use (extra `serve`)."""

from __future__ import annotations

__all__: list[str] = []
