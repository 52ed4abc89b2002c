"""The library: videos and their clips as vectors, kept durably on disk and searched by sentence embeddings.

Names are loaded when they are first used, so that a search does not wait for what repairs and exports;
`__init__.pyi` says where they live.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
