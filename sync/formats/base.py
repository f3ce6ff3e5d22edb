"""What formats share: who is positive and negative for a query, files of lines, and ids that a format cannot hold."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import mul
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import msgspec

from label_configs.errors import Mendable
from label_configs.records import Query, Relevance, ScoredDoc
from store import files
from sync.dataset import Dataset
from sync.splits import TRAINED, Split


class Judged(NamedTuple):
    """A query with what may reach training of it, each the hardest to tell first. A grade that the rules call neither
    positive nor negative is in `graded` alone.
    """

    query: Query
    positives: list[Relevance]
    negatives: list[Relevance]
    graded: list[Relevance]


def judged(data: Dataset, split: Split) -> Iterator[Judged]:
    """The queries of a split that have anything for training, in the order of their ids."""
    for query_id in sorted(data.trainable):
        if data.split(query_id) == split:
            rows = data.trainable[query_id]
            yield Judged(
                data.queries[query_id],
                [r for r in rows if r.grade in data.rules.positive],
                [r for r in rows if r.grade in data.rules.negative],
                rows,
            )


def graded(data: Dataset, split: Split) -> Iterator[Relevance]:
    """The grades of a split, query by query: of test all, of others what may reach training of them."""
    if split in TRAINED:
        for one in judged(data, split):
            yield from one.graded
    else:
        yield from (r for r in data.consensus.relevance if data.split(r.query_id) == split)


def ranking(data: Dataset) -> Iterator[tuple[str, str, int, float]]:
    """The pre-ranking as query_id, doc_id, rank from 1 and score; ties as trec_eval breaks them."""
    ranks: dict[str, int] = {}
    best_first: list[ScoredDoc] = sorted(data.run, key=lambda hit: (hit.score, hit.doc_id), reverse=True)
    for hit in sorted(best_first, key=lambda hit: hit.query_id):
        ranks[hit.query_id] = ranks.get(hit.query_id, 0) + 1
        yield hit.query_id, hit.doc_id, ranks[hit.query_id], hit.score


def expected(r: Relevance, data: Dataset) -> float:
    """The expected gain over the soft label, from 0 to 1, in 4 decimals: a continuous weight of a pair."""
    total: float = sum(map(mul, r.soft, data.gains))
    return round(total / (sum(r.soft) or 1.0), 4)


def only_texts(data: Dataset, name: str) -> None:
    """Raise Mendable where a query or item that was judged is no text: the format holds no media."""
    shown = {
        m for r in data.consensus.relevance for m in (data.queries[r.query_id].modality, data.items[r.doc_id].modality)
    }
    if media := sorted(shown - {"text"}):
        raise Mendable(
            f"{name} holds texts alone; what was judged here is {' and '.join(media)} too.",
            why="What people said of a medium need not hold for its caption.",
            mend="Take triplets, ntuples or tevatron, which hold media.",
        )


def asked(data: Dataset) -> list[str]:
    """The queries that people judged something of, in order."""
    return sorted({r.query_id for r in data.consensus.relevance})


def lines(path: Path, rows: Iterable[Mapping[str, object]]) -> bool:
    """Write JSON lines; see `text`."""
    return text(path, map(line, rows))


def line(row: Mapping[str, object]) -> str:
    """One line of JSON."""
    return msgspec.json.encode(row).decode() + "\n"


def text(path: Path, lines: Iterable[str]) -> bool:
    """Write lines as they come; without any, no file. Returns whether there were any."""
    lines = iter(lines)
    first = next(lines, None)
    if first is None:
        return False
    with files.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(chain([first], lines))
    return True


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Write cells parted by tabs, as `csv` quotes what holds a tab, a quote or a line break; without rows, no file."""
    rows = iter(rows)
    first = list(islice(rows, 1))
    if not first:
        return False
    with files.replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(chain([header], first, rows))
    return True


def spelled(ids: Iterable[str], parting: str = " ") -> dict[str, str]:
    """Ids that a format cannot hold, percent-encoded: id to how it is written. They have white space, or `parting`, or
    would read as another that is encoded.
    """
    return {name: quote(name, safe="") or "%" for name in sorted(set(ids)) if _misread(name, parting)}


def _misread(name: str, parting: str) -> bool:
    return name.split() != [name] or parting in name or unquote(name) != name or name == "%"


def ids(folder: Path, spelled: Mapping[str, str]) -> None:
    """Deliver the map of such ids as `ids.tsv`: written id, tab, id as a JSON string. Without any, no file."""
    text(
        folder / "ids.tsv", (f"{written}\t{msgspec.json.encode(name).decode()}\n" for name, written in spelled.items())
    )
