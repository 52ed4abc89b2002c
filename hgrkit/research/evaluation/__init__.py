"""Evaluation of retrieval, foils and parsers, for programs: all that `hgrkit evaluate` and `compare` do.

Names are loaded when they are first used: comparing two runs needs no torch. `__init__.pyi` says where they live.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
