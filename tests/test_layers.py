"""Imports run one way: each room of the package may use the rooms below it, and only those."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "hgrkit"

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "checks", "levels", "plugins"}),
    frozenset({"graph", "storage"}),
    frozenset({"matching", "parsing"}),
    frozenset({"library", "video"}),
    frozenset({"model"}),
    frozenset({"indexing", "results"}),
    frozenset({"clips", "opened", "pages"}),
    frozenset({"retriever", "testing"}),
    frozenset({"research", "hgrkit"}),  # hgrkit: the package's own __init__, the public names
    frozenset({"agents", "demo", "serve"}),
    frozenset({"cli", "__main__"}),
)
"""Bottom first; a room sees every layer below its own, and its neighbours as long as no two see each other."""

UNSEEN: dict[str, frozenset[str]] = {
    "matching": frozenset({"graph", "parsing", "storage"}),  # tensors and arrays only
    "library": frozenset({"graph", "parsing", "video"}),  # vectors, ids and times only
    "retriever": frozenset({"testing"}),
}
"""What a room must not use although it could."""

MODULES = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")])
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
TOP = len(LAYERS)


def room_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE).with_suffix("").parts
    return "hgrkit" if parts == ("__init__",) else parts[0]


def imported_rooms(source: str, package: str) -> set[str]:
    """Rooms of hgrkit that a module's source imports anywhere: at its top, in functions, for type checkers."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names += [_room_or_name(alias.name) for alias in node.names] if base == "hgrkit" else [base]
    ours = [name.split(".") for name in names if name.split(".")[0] == "hgrkit"]
    return {parts[1] if len(parts) > 1 else "hgrkit" for parts in ours}


def _room_or_name(name: str) -> str:
    """What `from hgrkit import name` imports: a room, or a public name of the package's own __init__."""
    return f"hgrkit.{name}" if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file() else "hgrkit"


def package_of(module: Path) -> str:
    return ".".join(["hgrkit", *module.relative_to(PACKAGE).parent.parts])


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_rooms_below_its_own(module):
    room = room_of(module)
    assert room in LEVEL, f"say in LAYERS where the room {room!r} belongs"
    imported = imported_rooms(module.read_text(encoding="utf-8"), package_of(module)) - {room}
    wrong = {other for other in imported if LEVEL.get(other, TOP) > LEVEL[room] or other in UNSEEN.get(room, ())}
    assert not wrong, f"{module.relative_to(PACKAGE)} must not import {sorted(wrong)}"


def test_no_two_rooms_see_each_other():
    seen = {room: set[str]() for room in LEVEL}
    for module in MODULES:
        seen[room_of(module)] |= imported_rooms(module.read_text(encoding="utf-8"), package_of(module))
    mutual = {(one, other) for one in seen for other in seen[one] if one < other and one in seen.get(other, ())}
    assert not mutual


def test_every_folder_of_the_package_is_a_room():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= LEVEL.keys()


def test_the_drawn_house_has_every_room():
    drawn = (PACKAGE.parent / "docs" / "_static" / "house.svg").read_text(encoding="utf-8")
    missing = [room for room in LEVEL.keys() - {"__main__"} if f">{room}</text>" not in drawn]
    assert not missing, "run scripts/draw_house.py"


@pytest.mark.parametrize(
    ("source", "package", "rooms"),
    [
        ("import hgrkit.library.store", "hgrkit", {"library"}),
        ("from hgrkit.graph import Node", "hgrkit", {"graph"}),
        ("from hgrkit import graph, Retriever", "hgrkit", {"graph", "hgrkit"}),
        ("def f():\n    from hgrkit.cli import main", "hgrkit", {"cli"}),
        ("if TYPE_CHECKING:\n    from hgrkit.model.hgr_model import HgrModel", "hgrkit", {"model"}),
        ("from ..library import store", "hgrkit.parsing", {"library"}),
        ("from .. import retriever", "hgrkit.parsing", {"retriever"}),
        ("from . import store", "hgrkit.library", {"library"}),
        ("import torch\nfrom hgrkitchen import stove", "hgrkit", set()),
    ],
)
def test_the_reader_of_imports_sees_every_form(source, package, rooms):
    assert imported_rooms(source, package) == rooms
