"""Makes the example of `docs/explanations.md`: a page and a picture of a search over footage that is free to show.

Big Buck Bunny is (c) 2008 Blender Foundation, www.bigbuckbunny.org, under CC BY 3.0; the photographs are in the
public domain or under CC0 (scikit-image names them so).

    python scripts/draw_explanation_example.py docs/_static
"""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from hgrkit.demo import make_footage
from hgrkit.pages.explanation import draw_picture, explain_result
from hgrkit.results import SearchResult
from hgrkit.retriever import Retriever

FREE = ("astronaut", "bigbuckbunny", "chelsea", "coffee", "horse", "rocket")
QUESTION = "a big rabbit stands on the green grass and stretches its arms"
HITS = 2


def main() -> None:
    """Write `why.html`, `why.png`, `why-dark.png`: fewer frames on the page, smaller ones in the pictures."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        result = search(Path(scratch))
        page, picture = (explain_result(result, num_frames=num_frames) for num_frames in (8, 13))
    target.mkdir(parents=True, exist_ok=True)
    for name, dark in (("why.png", False), ("why-dark.png", True)):
        with Image.open(BytesIO(draw_picture(picture, dark=dark, density=1))) as drawn:
            drawn.convert("RGB").quantize(256).save(target / name, optimize=True)
    (target / "why.html").write_text(page.to_html().replace(f"{scratch}/", ""), encoding="utf-8")


def search(folder: Path) -> SearchResult:
    """Index the footage and ask the question."""
    videos = [path for path in make_footage(folder / "videos") if path.stem in FREE]
    with Retriever.create(folder / "library") as retriever:
        retriever.index(*videos)
        return retriever.search(QUESTION, k=HITS)


if __name__ == "__main__":
    main()
