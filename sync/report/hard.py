"""Hard negatives worth looking at, with their pictures."""

import base64
from typing import TypedDict

from label_configs.errors import Mendable
from label_configs.records import Item, Query
from sync.dataset import Dataset
from sync.report.people import item_said, query_said


class Confirmation(TypedDict):
    """A mined negative that people judged. found: `negative`, `positive`, or `neither`."""

    query_id: str
    doc_id: str
    query: str
    item: str
    source: str
    score: float
    grade: int
    votes: int
    found: str


def confirmations(data: Dataset, most: int = 12) -> list[Confirmation]:
    """Those that turned out positive, then the confirmed ones that the models hold for the best; a query once each."""
    found: dict[tuple[str, str], Confirmation] = {}
    for one in sorted(_all(data), key=lambda one: (one["found"] != "positive", -one["score"], one["doc_id"])):
        if one["found"] != "neither":
            found.setdefault((one["query_id"], one["found"]), one)
    good = [one for one in found.values() if one["found"] == "positive"][: most // 2]
    bad = [one for one in found.values() if one["found"] == "negative"]
    return [*good, *bad[: most - len(good)]]


def picture(data: Dataset, record: Item | Query) -> str:
    """A small picture as a data URI, or nothing: for what is no picture, or cannot be read."""
    if record.modality != "image":
        return ""
    try:
        content = data.media.thumbnail(record).read_bytes()
    except (Mendable, OSError):
        return ""
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _all(data: Dataset) -> list[Confirmation]:
    found = []
    for r in data.consensus.relevance:
        shown = data.candidates.get((r.query_id, r.doc_id))
        if shown and shown.role == "hard_negative":
            found.append(
                Confirmation(
                    query_id=r.query_id,
                    doc_id=r.doc_id,
                    query=query_said(data, r.query_id),
                    item=item_said(data, r.doc_id),
                    source=shown.source,
                    score=shown.score,
                    grade=r.grade,
                    votes=r.votes,
                    found=_side(r.grade, data),
                )
            )
    return found


def _side(grade: int, data: Dataset) -> str:
    if grade in data.rules.positive:
        return "positive"
    return "negative" if grade in data.rules.negative else "neither"
