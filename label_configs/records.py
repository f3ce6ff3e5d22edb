"""The records that every room passes on, in the field's own words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, overload

from label_configs.words import Modality as Modality
from label_configs.words import Mode as Mode
from label_configs.words import Shown as Shown

Role = Literal["candidate", "hard_negative", "control", "random", "audit"]
Kind = Literal["grade", "preference", "ranking", "choice", "moment", "flag"]
Origin = Literal["manual", "prediction", "prediction-changed"]


DIGEST = r"[0-9a-f]{16}"
"""What `digest` gives, as a pattern."""


def digest(*parts: object) -> str:
    """A short name for content: the first 16 hex digits of SHA-256 over the parts, each closed by NUL."""
    import hashlib  # loads OpenSSL, which a command's help need not wait for

    return hashlib.sha256("".join(f"{part}\0" for part in parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What somebody looks for. `text` or `uri` says it, depending on `modality`; start and end in seconds."""

    query_id: str
    modality: Modality = "text"
    text: str = ""
    uri: str = ""
    start: float | None = None
    end: float | None = None
    title: str = ""
    description: str = ""
    narrative: str = ""
    granularity: str = ""
    domain: str = ""
    lang: str = ""
    positives: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """What an encoder encodes and Label Studio shows: the text, or the URI of the media."""
        return self.text if self.modality == "text" else self.uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of the corpus. `text` is the content of a text item and the caption of a media item."""

    doc_id: str
    modality: Modality = "text"
    text: str = ""
    uri: str = ""
    start: float | None = None
    end: float | None = None
    title: str = ""
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An item proposed for a query: by whom (`source`), as what (`role`), how high (`score`, `rank` from 1), why.

    Of a random draw: how many were `drawn`, evenly, of how many (`drawn_from`); each stands for drawn_from / drawn.
    twin: of a near-duplicate that is not shown the doc_id of the candidate that stands for it.
    """

    doc_id: str
    source: str
    role: Role = "candidate"
    score: float = 0.0
    rank: int = 0
    reason: str = ""
    drawn: int = 0
    drawn_from: int = 0
    twin: str = ""

    @property
    def proposers(self) -> dict[str, int]:
        """Of a candidate that was ranked: every proposer that named it, with the rank it gave; see `named_by`."""
        if self.role != "candidate" or not self.reason:
            return {}
        pairs = (one.rpartition(" ") for one in self.reason.split(", "))
        return {name: int(rank) for name, _, rank in pairs if name and rank.isdecimal()}


def named_by(ranks: Iterable[tuple[int, str]]) -> str:
    """The reason of a candidate that was ranked: every proposer with its rank, as `Candidate.proposers` reads it."""
    return ", ".join(f"{source} {rank}" for rank, source in ranks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The candidates of one query in display order, and everything that they depend on.

    folded: near-duplicates of candidates, which are not shown.
    """

    query_id: str
    candidates: tuple[Candidate, ...]
    encoder: str
    index: str
    seed: int
    round: int = 1
    folded: tuple[Candidate, ...] = ()

    @property
    def pool_id(self) -> str:
        """Hash of query, documents in display order, seed and round; scores do not change it."""
        return digest(self.query_id, *(c.doc_id for c in self.candidates), self.seed, self.round)

    def shuffled(self) -> "Pool":
        """The pool in the order that its seed gives, whatever order it is in: by a hash of seed, query and document."""
        order = {c.doc_id: digest(self.seed, self.query_id, self.round, c.doc_id) for c in self.candidates}
        return replace(self, candidates=tuple(sorted(self.candidates, key=lambda c: order[c.doc_id])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """One thing that one annotator said: one row of the canonical table.

    value: the grade, the choice or the flag as written in the rules. position: place on the screen, from 0.
    rank: from 1. start, end: seconds. note: what was written, as it was written. lead_time: seconds for the whole
    annotation. untouched: nothing on the screen was changed before submit.
    """

    kind: Kind
    project: int
    task_id: int
    annotation_id: int
    updated_at: str
    query_id: str
    doc_id: str
    value: str
    annotator: str
    rules_hash: str
    pool_id: str
    form: str
    round: int
    position: int
    other_doc_id: str = ""
    rank: int | None = None
    start: float | None = None
    end: float | None = None
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    note: str = ""
    side: str = ""
    lead_time: float | None = None
    origin: str = "manual"
    untouched: bool = False


class Block(Sequence[Judgment]):
    """Judgments of one annotation as columns, for those who take many at a time; each is made when it is asked for.

    same: the fields that all of them share. each: by field, a value for each of them.
    """

    __slots__ = ("each", "same")

    def __init__(self, same: Mapping[str, Any], each: Mapping[str, Sequence[Any]]) -> None:
        self.same, self.each = same, each

    def __len__(self) -> int:
        return len(next(iter(self.each.values())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, place: int) -> Judgment: ...
    @overload
    def __getitem__(self, place: slice) -> list[Judgment]: ...
    def __getitem__(self, place: int | slice) -> Judgment | list[Judgment]:
        if isinstance(place, slice):
            return [self[n] for n in range(*place.indices(len(self)))]
        return Judgment(**self.same, **{name: values[place] for name, values in self.each.items()})


class Relevance(NamedTuple):
    """What the annotators' judgments of one query and item come to.

    soft: probability of each grade, in the order of the rules' grades, 3 decimals. confidence: that of `grade`.
    """

    query_id: str
    doc_id: str
    grade: int
    soft: tuple[float, ...]
    confidence: float
    votes: int


class Suggested(NamedTuple):
    """What a model would answer to a screen: the grade of each candidate, and their positions, the best match first."""

    grades: Sequence[int]
    order: Sequence[int]


class Qrel(NamedTuple):
    """A judged pair, in ir_measures' own shape."""

    query_id: str
    doc_id: str
    relevance: int


class ScoredDoc(NamedTuple):
    """One line of a run, in ir_measures' own shape."""

    query_id: str
    doc_id: str
    score: float
