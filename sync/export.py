"""Export: formats written into a folder that is whole or not there, and what a manifest says about them."""

import filecmp
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from label_configs.errors import Mendable
from store import files
from sync import formats
from sync.dataset import Dataset
from sync.formats import FORMATS
from sync.gates import Gate
from sync.report import Summary


def known(names: Sequence[str]) -> Sequence[str]:
    """The names, each once, if all are formats; else Mendable that lists those there are."""
    names = list(dict.fromkeys(name.strip() for name in names))
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise Mendable(f"There is no format {', '.join(unknown)}.", mend=f"Take some of: {', '.join(FORMATS)}.")
    return names


def export(
    data: Dataset, names: Sequence[str], out: Path, *, advance: Callable[[int], None] = lambda done: None
) -> list[Path]:
    """Write each format into a folder of its name under `out`; what stood there is replaced as a whole, and left as it
    is where it would be the same. Whoever writes or reads data sets there holds `alone`.
    """
    names = known(names)
    _check_said(data, names)
    for name in names:
        target, fresh, old = out / name, out / f".{name}.new", out / f".{name}.old"
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(parents=True)
        formats.write(name, data, fresh)
        if _same(fresh, target):
            shutil.rmtree(fresh)
        else:
            if target.exists():
                target.rename(old)
            fresh.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        advance(1)
    return sorted(path for name in names for path in (out / name).rglob("*") if path.is_file())


def _check_said(data: Dataset, names: Sequence[str]) -> None:
    """Raise Mendable where nothing was said of the kind that a format is made of."""
    there = {j.kind for j in data.judgments} - {"grade"} | ({"grade"} if data.qrels else set())
    for name in names:
        reads = FORMATS[name].reads
        if not reads & there:
            raise Mendable(
                f"The project {data.name!r} has no {' and no '.join(f'{kind}s' for kind in sorted(reads))} yet.",
                why=f"{name} is made of them.",
                mend="Label some tasks, run pull, and export again.",
            )


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep the data sets of a folder to oneself; Mendable where another process holds them."""
    with files.locked(out / ".lock", f"writing data sets into {out}"):
        yield


def _same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files."""
    names = [{path.relative_to(root) for path in root.rglob("*") if path.is_file()} for root in (one, other)]
    alike, *_ = filecmp.cmpfiles(one, other, map(str, names[0]), shallow=False)
    return names[0] == names[1] and len(alike) == len(names[0])


def about(data: Dataset, figures: Summary, gates: Sequence[Gate], key_fingerprint: str) -> dict[str, Any]:
    """What a manifest says beside its files. No clock time: the same data give the same manifest."""
    return {
        "format": 1,
        "tool": f"label-studio-retrieval {version('label-studio-retrieval')}",
        "project": data.name,
        "rules": {"name": data.rules.name, "hash": data.rules.hash},
        "encoders": sorted({pool.encoder for pool in data.pools}),
        "indexes": sorted({pool.index for pool in data.pools}),
        "pseudonym_key": key_fingerprint,
        "gates": [gate._asdict() for gate in gates],
        "figures": figures,
    }
