"""Moments: `{train,dev,test}.jsonl` as QVHighlights has them, `SPLIT.charades.txt`, and `SPLIT.pairs.jsonl`.

A line of QVHighlights is a query and a film or recording: windows where more than half of the annotators see it
answered, the two-second clips in them, and how salient each is. Its three annotators' scores from 0 to 4 are here three
times 4 by the share that the annotators marked of the clip. Seconds count from the start of the segment, if it is one.

A query that is answered nowhere in a medium has no line there: QVHighlights' evaluator has no place for it. It stands
in the temporal pairs, with no start and end; there seconds count from the start of `clip`.
"""

from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import NamedTuple

from label_configs.errors import Mendable
from label_configs.records import Item, digest
from store.media import length
from sync import moments, splits
from sync.dataset import Dataset
from sync.formats import base, media
from sync.moments import Moments, Range

CLIP = 2.0
"""Seconds of a clip of QVHighlights."""


class Row(NamedTuple):
    """Moments with their medium: where it starts, and how many seconds it has."""

    found: Moments
    item: Item
    start: float
    duration: float

    @property
    def windows(self) -> list[Range]:
        """Counted from the medium's start, within it."""
        shifted = [(round(a - self.start, 3), round(b - self.start, 3)) for a, b in self.found.windows]
        return moments.union([(max(a, 0.0), min(b, self.duration)) for a, b in shifted])

    @property
    def clips(self) -> list[int]:
        """The clips that lie in a window by half at least, and the one in the middle of each window."""
        last = int(self.duration / CLIP) - 1
        windows = self.windows
        middles = {min(int((a + b) / 2 / CLIP), last) for a, b in windows}
        reached = {n for a, b in windows for n in range(int(a / CLIP), min(int(b / CLIP), last) + 1)}
        half = {n for n in reached if sum(moments.overlap(w, (n * CLIP, n * CLIP + CLIP)) for w in windows) >= CLIP / 2}
        return sorted(n for n in half | middles if n >= 0)


def write(data: Dataset, folder: Path) -> None:
    """Write each split that has moments, and the map of ids where Charades' lines cannot hold one."""
    found = moments.moments(data)
    _check(found, data)
    spelled = base.spelled((one.doc_id for one in found), "##")
    for split in splits.NAMES:
        rows = [_row(one, data) for one in found if data.split(one.query_id) == split]
        base.lines(folder / f"{split}.jsonl", (_highlight(r, data, folder) for r in rows if r.clips))
        base.lines(folder / f"{split}.pairs.jsonl", (pair for r in rows for pair in _pairs(r, data, folder)))
        lines = (line for r in rows for line in _charades(r, data, spelled.get(r.item.doc_id, r.item.doc_id)))
        base.text(folder / f"{split}.charades.txt", lines)
    base.ids(folder, spelled)


def _check(found: list[Moments], data: Dataset) -> None:
    mute = sorted({one.query_id for one in found if not _asked(one, data)})
    if mute:
        raise Mendable(
            f"The format moments holds queries in words, and {len(mute)} have none.",
            problems=mute[:20],
            mend="Take a project whose queries are texts, or give these a title.",
        )


def _row(one: Moments, data: Dataset) -> Row:
    item = data.items[one.doc_id]
    start = item.start or 0.0
    end = _duration(item, data) if item.end is None else item.end
    return Row(one, item, start, round(end - start, 3))


def _duration(item: Item, data: Dataset) -> float:
    """Of the whole medium: as its metadata say, else as its container does."""
    try:
        said = float(str(item.metadata.get("duration")))
    except ValueError:
        said = 0.0
    return said if 0 < said < inf else length.seconds(data.media.read(item), item.uri)


def _asked(one: Moments, data: Dataset) -> str:
    return " ".join(media.text(data.queries[one.query_id]).split())


def _highlight(row: Row, data: Dataset, folder: Path) -> dict[str, object]:
    query_id, doc_id = row.found.query_id, row.found.doc_id
    return {
        "qid": int(digest("moment", query_id, doc_id)[:13], 16),
        "query": _asked(row.found, data),
        "duration": row.duration,
        "vid": doc_id,
        "relevant_windows": [list(window) for window in row.windows],
        "relevant_clip_ids": row.clips,
        "saliency_scores": [[_salient(row, n)] * 3 for n in row.clips],
        "query_id": query_id,
        "path": media.place(row.item, data, folder),
        "votes": len(row.found.marked),
        "rules_hash": data.rules.hash,
    }


def _salient(row: Row, clip: int) -> int:
    start = row.start + clip * CLIP
    return round(4 * row.found.share(start, start + CLIP))


def _pairs(row: Row, data: Dataset, folder: Path) -> Iterator[dict[str, object]]:
    told = {"query_id": row.found.query_id, "doc_id": row.found.doc_id, "votes": len(row.found.marked)}
    told["rules_hash"] = data.rules.hash
    windows: list[tuple[float | None, float | None]] = [
        (round(a + row.start, 3), round(b + row.start, 3)) for a, b in row.windows
    ]
    for start, end in windows or [(None, None)]:
        clip = media.place(row.item, data, folder)
        yield {"clip": clip, "text": _asked(row.found, data), "start": start, "end": end, **told}


def _charades(row: Row, data: Dataset, vid: str) -> Iterator[str]:
    sentence = _asked(row.found, data).replace("##", "# #")
    return (f"{vid} {start:.9g} {end:.9g}##{sentence}\n" for start, end in row.windows)
