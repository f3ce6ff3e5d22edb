"""Train, dev and test: by a hash of what is asked, stable while the data grows, and without leaks.

Queries that ask the same in other words' case or spacing share a split. An item that answers a query of test, or looks
the same as one that does, is in no row of dev or train; one of dev in none of train.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from label_configs.errors import Unreadable
from label_configs.records import Item, Pool, Query
from store.settings import Splits

Split = Literal["train", "dev", "test"]
NAMES: tuple[Split, ...] = ("train", "dev", "test")
TRAINED: tuple[Split, ...] = ("train", "dev")
"""The splits that training sees; the test split stays for evaluation."""


class Frozen(NamedTuple):
    """An evaluation split that stays as it is: the query_ids that are in it, and no others ever."""

    test: frozenset[str]


def frozen(path: Path, queries: Set[str]) -> Frozen | None:
    """The split that a file keeps as it is, a query_id a line; None where there is none.

    Raises Unreadable where it names other queries than there are.
    """
    if not path.exists():
        return None
    named = frozenset(path.read_text("utf-8").split("\n")) - {""}
    unknown = sorted(named - queries)
    if unknown:
        raise Unreadable(
            f"{path} names queries that are not there.",
            problems=unknown[:20],
            mend="Restore them in the queries; or delete the file, and freeze anew.",
        )
    return Frozen(named)


def split(query: Query, shares: Splits, frozen: Frozen | None = None) -> Split:
    """The split of a query: its hash as a number between 0 and 1, laid over test, dev, train in that order.

    frozen: where there is one, test is what it names. Of all others those in dev and train stay there, and those that
    would have been in test are laid over both.
    """
    place = int.from_bytes(hashlib.sha256(f"split\0{_asked(query)}".encode()).digest()[:8], "big") / 2**64
    if frozen is not None:
        if query.query_id in frozen.test:
            return "test"
        if place < shares.test:
            place = shares.test + place / shares.test * (1 - shares.test)
    if place < shares.test:
        return "test"
    return "dev" if place < shares.test + shares.dev else "train"


def _asked(query: Query) -> str:
    return _plain(query.text) if query.modality == "text" else query.query_id


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def twins(
    items: Mapping[str, Item], pools: Iterable[Pool], copies: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """doc_id to the one that stands for it and all that look the same: equal content, or folded in a pool. Texts that
    differ in case or spacing are equal.

    copies: of URIs the name of their content, where several may have the same. Of items that look like nothing else
    there is no entry.
    """
    parent: dict[str, str] = {}

    def root(doc_id: str) -> str:
        while (above := parent.get(doc_id, doc_id)) != doc_id:
            doc_id = above
        return doc_id

    def join(one: str, other: str) -> None:
        low, high = sorted((root(one), root(other)))
        if low != high:
            parent[high] = low

    first: dict[object, str] = {}
    for doc_id, item in items.items():
        join(first.setdefault(_content(item, copies), doc_id), doc_id)
    for pool in pools:
        for candidate in pool.folded:
            join(candidate.twin, candidate.doc_id)
    return {doc_id: root(doc_id) for doc_id in parent}


def _content(item: Item, copies: Mapping[str, str]) -> object:
    if item.modality == "text":
        return _plain(item.title), _plain(item.text)
    return item.modality, copies.get(item.uri, item.uri), item.start, item.end


def held(
    positives: Mapping[str, Collection[str]], split_of: Callable[[str], Split], twin: Mapping[str, str]
) -> dict[Split, frozenset[str]]:
    """By split what its rows may not show, as the items that stand for their twins: what answers later splits.

    positives: query_id to the items that answer it.
    """
    answers: dict[Split, set[str]] = {name: set() for name in NAMES}
    for query_id, doc_ids in positives.items():
        answers[split_of(query_id)].update(twin.get(doc_id, doc_id) for doc_id in doc_ids)
    dev, test = answers["dev"], answers["test"]
    return {"train": frozenset(dev | test), "dev": frozenset(test), "test": frozenset()}


class Leak(NamedTuple):
    """A row that was left out: the split it was for, its query, and the item that answers a later split."""

    split: Split
    query_id: str
    doc_id: str


def counted(leaks: Iterable[Leak]) -> dict[str, int]:
    """Rows left out, by split."""
    return dict(sorted(Counter(leak.split for leak in leaks).items()))


def told(leaks: Mapping[str, int]) -> str:
    """The same in words."""
    rows = " and ".join(f"{count} of {split}" for split, count in leaks.items())
    return f"{rows or 'none'}: judged pairs whose item, or one that looks the same, answers a query of a later split"
