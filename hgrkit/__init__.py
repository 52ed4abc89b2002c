"""hgrkit: search video with sentences, by hierarchical graph reasoning.

Names are loaded when they are first used, so that `import hgrkit` takes no time; `__init__.pyi` says where they
live.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, _names = lazy_loader.attach_stub(__name__, __file__)
_FOLDERS = ("parsing", "testing")  # reached by name, as plugins do: `hgrkit.testing.ParserContract`
__all__ = ["__version__"]
__all__ += [name for name in _names if name not in _FOLDERS]


def __dir__() -> list[str]:
    return [*__all__, *_FOLDERS]
