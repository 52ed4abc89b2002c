# The public names and where they live: read by type checkers, and by lazy_loader when hgrkit.parsing is imported.

from .dependency_tree import DependencyTree as DependencyTree
from .graph_file import PrecomputedParser as PrecomputedParser
from .lark.parser import LarkParser as LarkParser
from .protocol import GraphParser as GraphParser
from .registry import PARSERS as PARSERS
from .registry import ChainParser as ChainParser
from .registry import load_parser as load_parser
from .stanza_parser import StanzaParser as StanzaParser
from .tree_labeller import label_tree as label_tree
