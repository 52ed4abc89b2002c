"""hgrkit: search video with sentences, by hierarchical graph reasoning.

Names are loaded when they are first used, so that `import hgrkit` takes no time; `__init__.pyi` says where they
live.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = ["__version__", *sorted({*_names} - {"parsing", "testing"})]  # two folders that plugins reach by name


def __dir__() -> list[str]:
    return [*__all__, "parsing", "testing"]
