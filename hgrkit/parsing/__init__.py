"""From sentences to role graphs: the parser protocol, the registry of parsers, and hgrkit's own parsers.

Names are loaded when they are first used, so that `import hgrkit` does not import lark; `__init__.pyi` says where
they live.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
