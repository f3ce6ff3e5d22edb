"""The small world of `sync_world` with other media, and what people mark and read in them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync_world import COLORS, grade

from label_configs.records import Candidate, Item, Judgment, Pool, Query
from store.settings import Export
from sync.dataset import Dataset

NOWHERE: Sequence[tuple[float | None, float | None]] = ((None, None),)
Marked = Mapping[tuple[str, str], Sequence[Sequence[tuple[float, float]]]]


def turned(data: Dataset) -> Dataset:
    """The same grades from picture to text: q1 is d1's picture, q2 is d3's; the items are the colours' names."""
    shown = {"q1": "d1", "q2": "d3", "q3": "d5"}
    queries = {q: Query(query_id=q, modality="image", uri=f"pictures/{d}.png") for q, d in shown.items()}
    return replace(data, queries=queries, items={d: Item(doc_id=d, text=color) for d, color in COLORS.items()})


def filmed(data: Dataset) -> Dataset:
    """The same grades with segments of one film as items."""
    (data.media.root / "film.mp4").write_bytes(b"film")
    ends = {d: (float(n), n + 1.5) for n, d in enumerate(COLORS)}
    return replace(
        data,
        items={
            d: Item(doc_id=d, modality="video", uri="film.mp4", start=a, end=b, text=COLORS[d])
            for d, (a, b) in ends.items()
        },
    )


def with_export(data: Dataset, **more: Any) -> Dataset:
    return replace(data, settings=data.settings.model_copy(update={"export": Export(**more)}))


def judged(data: Dataset, given: Mapping[str, Mapping[str, int]]) -> Dataset:
    """Other grades, from three annotators who agree, of items with the first picture; all in one pool a query."""
    docs = sorted({d for grades in given.values() for d in grades})
    items = {d: Item(doc_id=d, modality="image", uri="pictures/d1.png", text=d, title=d) for d in docs}
    shown = tuple(Candidate(doc_id=d, source="dense", score=-n) for n, d in enumerate(docs))
    pools = [Pool(query_id=q, candidates=shown, encoder="", index="", seed=0) for q in given]
    said = [grade(q, d, g, who) for q, of in given.items() for d, g in of.items() for who in ("ada", "bob", "cleo")]
    queries = {q: Query(query_id=q, text=f"ask {q}") for q in given}
    return replace(data, items=items, queries=queries, pools=pools, judgments=said)


def film(doc_id: str, **more: Any) -> Item:
    blank: dict[str, Any] = {"modality": "video", "uri": f"{doc_id}.mp4", "metadata": {"duration": 20.0}}
    return Item(doc_id=doc_id, **{**blank, **more})


def moment(
    query_id: str, doc_id: str, annotator: str, start: float | None = None, end: float | None = None
) -> Judgment:
    value = "none" if start is None else "match"
    return grade(query_id, doc_id, value, annotator, kind="moment", form="moment", start=start, end=end)


def marking(data: Dataset, given: Marked, media: str = "reference") -> Dataset:
    """The data set with what annotators marked: for each pair a list of ranges an annotator; empty for nowhere."""
    said = [
        moment(q, d, f"annotator {n}", start, end)
        for (q, d), marked in given.items()
        for n, ranges in enumerate(marked)
        for start, end in ranges or NOWHERE
    ]
    return with_export(replace(data, judgments=said), media=media)


def by_reference(data: Dataset) -> Dataset:
    return with_export(data, media="reference")


def in_films(data: Dataset) -> Dataset:
    """Every item is a film of 20 seconds, of which nothing was said yet."""
    return replace(data, items={d: film(d) for d in COLORS}, judgments=())


def figurative(data: Dataset) -> Dataset:
    """The same answers, and d1 was meant in another sense."""
    said = [replace(j, flags=("figurative",)) if j.doc_id == "d1" else j for j in data.judgments]
    return replace(data, judgments=said)


def suited(name: str, data: Dataset) -> Dataset:
    """The small world in the media that a format is made for."""
    if name == "clip-text":
        return filmed(data)
    if name == "dissonance":
        return figurative(data)
    if name == "moments":
        for doc_id in COLORS:
            (data.media.root / f"{doc_id}.mp4").write_bytes(b"film")
        return marking(in_films(data), {("q1", "d1"): [[(4.0, 8.0)]]}, media="auto")
    return data
