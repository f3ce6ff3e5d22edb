"""What stands beside a judged pair in formats that have room for it, and what a format can hold at all."""

from collections import Counter
from collections.abc import Collection, Sequence

from label_configs.errors import Mendable
from label_configs.records import Item, Modality, Query, Relevance
from sync.dataset import Dataset
from sync.formats import base


def about(r: Relevance, data: Dataset) -> dict[str, object]:
    """Ids, the grade on the scale of the rules, its continuous weight from 0 to 1, how sure it is, who proposed the
    item, and under which rules it was judged.
    """
    shown = data.candidates.get((r.query_id, r.doc_id))
    return {
        "query_id": r.query_id,
        "doc_id": r.doc_id,
        "grade": r.grade,
        "weight": base.expected(r, data),
        "confidence": r.confidence,
        "votes": r.votes,
        "source": shown.source if shown else "",
        "rules_hash": data.rules.hash,
    }


def reasons(r: Relevance, data: Dataset) -> list[str]:
    """The reasons that annotators named, the most named first."""
    said = data.said.get((r.query_id, r.doc_id))
    return sorted(said.reasons, key=lambda code: (-said.reasons[code], code)) if said else []


def counted(query_id: str, doc_id: str, data: Dataset) -> dict[str, int]:
    """How many annotators named each reason of a pair."""
    said = data.said.get((query_id, doc_id))
    return dict(sorted(said.reasons.items())) if said else {}


def reason(r: Relevance, data: Dataset) -> str:
    """The same in one text, for tables whose readers infer what a column holds."""
    return ", ".join(reasons(r, data))


def records(data: Dataset) -> tuple[list[Query], list[Item]]:
    """The queries and the items that may reach training, once each, in the order of their ids."""
    doc_ids = {r.doc_id for rows in data.trainable.values() for r in rows}
    return [data.queries[q] for q in sorted(data.trainable)], [data.items[d] for d in sorted(doc_ids)]


def only(data: Dataset, name: str, queries: Collection[Modality], items: Collection[Modality]) -> None:
    """Raise Mendable where what was judged is of a modality that a format does not hold."""
    asked, shown = records(data)
    wrong = [*_wrong("queries", asked, queries), *_wrong("items", shown, items)]
    if wrong:
        asks, shows = (" or ".join(sorted(kinds)) for kinds in (queries, items))
        raise Mendable(
            f"The format {name} holds {asks} as queries and {shows} as items.",
            problems=wrong,
            mend="Take a project that shows these, or another format.",
        )


def uniform(data: Dataset, name: str) -> None:
    """Raise Mendable where the queries, or the items, are of several modalities: one column or key holds one."""
    asked, shown = records(data)
    kinds = {"queries": {q.modality for q in asked}, "items": {item.modality for item in shown}}
    mixed = [f"{what}: {', '.join(sorted(found))}" for what, found in kinds.items() if len(found) > 1]
    if mixed:
        raise Mendable(
            f"The format {name} holds one modality of queries and one of items.",
            problems=mixed,
            mend="Take a project that shows one, or another format, such as grounding or beir.",
        )


def _wrong(what: str, found: Sequence[Query | Item], holds: Collection[Modality]) -> list[str]:
    counts = Counter(record.modality for record in found if record.modality not in holds)
    return [f"{count} {what} of {kind}" for kind, count in sorted(counts.items())]
