"""WebDataset shards: what stands before the first dot of a member's name is the key, and the key is the doc_id.

`0007.jpg` is the medium, `0007.txt` its caption, `0007.json` its metadata; a sample of a caption alone is a text.
Members follow each other by key, as the format has it. The medium stays where it is: `corpus/0001.tar#0007.jpg`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from label_configs.errors import Unreadable
from store import tars
from store.corpus import rows, sidecars
from store.corpus.rows import MEDIA, Entries, Row
from store.tars import Member


def read(path: Path) -> Entries:
    """One row a sample, shards in the order of their names. Raises nothing: a damaged shard is told as its last row."""
    for shard in sorted(path.iterdir()):
        if shard.suffix == ".tar":
            yield from _shard(path, shard)
        elif rows.modality(shard.name):
            yield f"{path.name}/{shard.name}", ValueError("it lies beside shards, which hold all of the corpus")


def _shard(root: Path, shard: Path) -> Entries:
    name = f"{root.name}/{shard.name}"
    try:
        with shard.open("rb") as file:
            for key, members in _samples(shard):
                yield f"{name}#{key}", _row(file, name, key, members)
    except (Unreadable, OSError) as error:
        yield name, error


def _samples(shard: Path) -> Iterator[tuple[str, list[Member]]]:
    """Members by their key. Where a shard is damaged, the sample in hand may lack some, and is left out with it."""
    group: list[Member] = []
    try:
        for member in tars.members(shard):
            if member.name.rpartition("/")[2].startswith("."):
                continue
            if group and _key(member) != _key(group[0]):
                yield _key(group[0]), group
                group = []
            group.append(member)
    except Unreadable as error:
        lost = f" Left out with it: {_key(group[0])}." if group else ""
        raise Unreadable(f"{error.what}{lost}") from error
    if group:
        yield _key(group[0]), group


def _key(member: Member) -> str:
    folder, slash, name = member.name.rpartition("/")
    return folder + slash + name.partition(".")[0]


def _row(file: BinaryIO, shard: str, key: str, members: list[Member]) -> Row | Exception:
    try:
        key.encode()
        made = Row(id=key)
        for member in members:
            kind, suffix = rows.modality(member.name), Path(member.name).suffix.lower()
            if kind and any(getattr(made, one) for one in MEDIA):
                return ValueError(f"more than one medium: {', '.join(m.name for m in members)[:200]}")
            if kind:
                setattr(made, kind, f"{shard}#{member.name}")
            elif suffix == sidecars.CAPTION:
                made.text = sidecars.caption(tars.read(file, member, sidecars.LIMIT + 1))
            elif suffix == sidecars.METADATA:
                made.metadata = sidecars.metadata(tars.read(file, member, sidecars.LIMIT + 1))
        return made
    except (OSError, ValueError, RecursionError) as error:
        return error
