"""A folder of media: the path is the doc_id, `owl.txt` beside `owl.jpg` its caption, `owl.json` its metadata.

A text file that stands alone is an item of its own. Hidden files and folders are passed over.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from store.corpus import rows, sidecars
from store.corpus.rows import Entries, Row


def read(path: Path) -> Entries:
    """One row a medium, in the order of the paths."""
    for folder, names in _folders(path):
        media = {Path(name).stem for name in names if rows.modality(name)}
        for name in names:
            sidecar = Path(name).suffix.lower() in (sidecars.CAPTION, sidecars.METADATA) and Path(name).stem in media
            if not sidecar:
                yield str((folder / name).relative_to(path.parent)), _row(path, folder / name, names)


def _folders(path: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(folder), sorted(name for name in names if not name.startswith("."))


def _row(root: Path, path: Path, there: Sequence[str]) -> Row | Exception:
    try:
        doc_id, uri = str(path.relative_to(root)), str(path.relative_to(root.parent))
        doc_id.encode()
        kind = rows.modality(path.name)
        if kind is None and path.suffix.lower() == sidecars.CAPTION:
            return Row(id=doc_id, text=sidecars.caption(_bytes(path)))
        if kind is None:
            return ValueError("its suffix is none of a text, a picture, a sound or a film")
        made = Row(id=doc_id)
        setattr(made, kind, uri)
        if f"{path.stem}{sidecars.CAPTION}" in there:
            made.text = sidecars.caption(_bytes(path.with_suffix(sidecars.CAPTION)))
        if f"{path.stem}{sidecars.METADATA}" in there:
            made.metadata = sidecars.metadata(_bytes(path.with_suffix(sidecars.METADATA)))
        return made
    except (OSError, ValueError, RecursionError) as error:
        return error


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(sidecars.LIMIT + 1)
