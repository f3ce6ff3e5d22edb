"""The stamps of Tux Paint, from Debian: photographs and drawings, each with a sentence in many languages."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from label_configs.errors import Mendable
from ls_retrieval.demo.pictures import Picture, Source, Track, render

PACKAGE = "tuxpaint-stamps-default"
STAMPS = Path("usr/share/tuxpaint/stamps")
LICENCE = "GPL-2.0-or-later"
ATTRIBUTION = """\
Pictures, sounds and captions: Tux Paint stamps, copyright 2002-2022 by Bill Kendrick <bill@newbreedsoftware.com>
and the stamps' contributors, from the Debian package `tuxpaint-stamps-default`.
Licence: GNU General Public License, version 2 or later. The pictures were scaled down and put on white.
"""


def pictures(cache: Path, workspace: Path, track: Track, *, limit: int | None = None) -> list[Picture]:
    """The stamps without the symbols, rendered into `workspace`; the package is fetched once into `cache`.

    Raises Mendable if the package cannot be fetched.
    """
    return render(_sources(fetch(cache) / STAMPS), workspace, track, limit)


def available() -> bool:
    """Whether this system has Debian's tools to fetch and unpack the stamps."""
    return all(map(shutil.which, ("apt-get", "dpkg-deb")))


def fetch(cache: Path) -> Path:
    """The folder with the unpacked package; no root needed, and nothing of the package is executed."""
    unpacked = cache / PACKAGE
    if not unpacked.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{PACKAGE}.") as temporary:
            _run("apt-get", "download", PACKAGE, folder=temporary)
            (archive,) = Path(temporary).glob("*.deb")
            _run("dpkg-deb", "-x", str(archive), "unpacked", folder=temporary)
            (Path(temporary) / "unpacked").rename(unpacked)
    return unpacked


def _run(program: str, *arguments: str, folder: str) -> None:
    path = shutil.which(program)
    if path is None:
        raise _not_fetched(f"there is no {program} on this system")
    done = subprocess.run([path, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _not_fetched(done.stderr.strip())


def _not_fetched(why: str) -> Mendable:
    mend = "run `apt-get update` and try again, or use PACK=openmoji, which needs no Debian package"
    return Mendable(f"The Debian package {PACKAGE} could not be fetched.", why=why, mend=mend)


def _sources(folder: Path) -> Iterator[Source]:
    """Every captioned stamp outside symbols/, as SVG where there is one; mirrored pictures have no caption."""
    for described in sorted(folder.rglob("*.txt")):
        group = described.parent.relative_to(folder)
        drawn = next(filter(Path.exists, map(described.with_suffix, (".svg", ".png"))), None)
        if drawn and group.parts[0] != "symbols":
            caption = described.read_text(encoding="utf-8").partition("\n")[0].strip()
            yield Source(drawn.read_bytes(), caption, subject(group))


def subject(folder: Path) -> str:
    """The folder without a last part that tells the style rather than the subject."""
    subject = folder.parent if folder.name in {"cartoon", "toys", "plastic"} and len(folder.parts) > 1 else folder
    return subject.as_posix()
