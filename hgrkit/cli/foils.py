"""`hgrkit foils`: captions in, sentences that are wrong in one respect out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo_json, plain_table, stderr, stdout
from hgrkit.errors import ConfigError

__all__ = ["foils"]


def foils(
    captions: Annotated[Path, typer.Argument(help="JSON file: the list of captions of each video's file name.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The JSON lines file to write.")],
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    types: Annotated[str | None, typer.Option(help="Types to make, separated by commas; all by default.")] = None,
    per_caption: Annotated[int, typer.Option(help="Maximum number of foils of one type for a caption.")] = 1,
    parser: Annotated[str, typer.Option(help="Parser that reads the captions.")] = "lark",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make sentences that differ from a caption in one respect and are wrong for its video."""
    from hgrkit.parsing.registry import load_parser
    from hgrkit.research.evaluation.captions import read_captions
    from hgrkit.research.foils.generate import FOIL_TYPES, make_foils, write_foils

    if out.exists() and out.samefile(captions):
        raise ConfigError(f"--out {out} is the file of captions itself; name another file.")
    wanted = FOIL_TYPES if types is None else tuple(name.strip() for name in types.split(","))
    loaded, annotations = load_parser(parser), read_captions(captions)
    with stderr().status("making foils"):
        made = make_foils(annotations, loaded, seed=seed, types=wanted, per_caption=per_caption)
        write_foils(made.foils, out)
    if json:
        echo_json(made.to_dict())
        return
    counts = made.to_dict()
    table = plain_table("type", "foils", "captions without")
    table.caption_justify = "left"
    table.caption = (
        f"{made.captions} captions, {made.refused} of them skipped because they are not plain sentences"
    )
    for name, number in counts["foils"].items():
        table.add_row(name, str(number), str(counts["without"][name]))
    stdout().print(table)
