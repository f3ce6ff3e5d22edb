"""`settings.toml`: everything that may differ between two workspaces and is neither meaning nor secret."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from label_configs.errors import Unreadable
from label_configs.records import DIGEST, Modality, Mode, Shown
from store import files, places

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
RulesHash = Annotated[str, Field(pattern=f"^{DIGEST}$")]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderBase(_Section):
    """What encoders of every kind have. threads: 0 takes as many as torch chooses."""

    threads: Count = 0
    batch: Annotated[int, Field(ge=1)] = 32
    device: Device = "auto"
    precision: Precision = "auto"


class ClipModel(EncoderBase):
    """An open_clip model: a name with pretrained weights, a hub name, or `local-dir:PATH` (from the workspace)."""

    model: str
    pretrained: str | None = None


class OpenClip(ClipModel):
    """Text and pictures."""

    kind: Literal["open_clip"] = "open_clip"


class Frames(ClipModel):
    """Text, pictures, and films by some of their frames.

    max_seconds: of one film or segment. max_frames: of full HD, decoded to choose the frames of one.
    """

    kind: Literal["frames"]
    frames: Annotated[int, Field(ge=1, le=256)] = 8
    sampling: Literal["uniform", "scenes"] = "uniform"
    pooling: Literal["mean", "max"] = "mean"
    max_seconds: Annotated[float, Field(gt=0)] = 4 * 3600.0
    max_frames: Annotated[int, Field(ge=1)] = 20_000


class Clap(EncoderBase):
    """Text and sound by a CLAP model of transformers: a hub name, or `local-dir:PATH` (from the workspace)."""

    kind: Literal["clap"]
    model: str
    max_seconds: Annotated[float, Field(gt=0)] = 600.0


class LogMel(ClipModel):
    """Text and sound by the demo's stand-in: no semantic audio model. tower: its file, from the workspace."""

    kind: Literal["log-mel"]
    tower: str
    max_seconds: Annotated[float, Field(gt=0)] = 600.0


def _kind(value: object) -> object:
    """The kind of an encoder's section: open_clip where it says none."""
    return value.get("kind", "open_clip") if isinstance(value, dict) else getattr(value, "kind", None)


Encoder = Annotated[
    Annotated[OpenClip, Tag("open_clip")]
    | Annotated[Frames, Tag("frames")]
    | Annotated[Clap, Tag("clap")]
    | Annotated[LogMel, Tag("log-mel")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="kind is one of open_clip, frames, clap, log-mel",
    ),
]
"""The settings of one encoder, by its `kind`."""


IndexKind = Literal["auto", "exact", "pq", "ivf", "hnsw"]


class IndexSettings(_Section):
    """How the nearest items are found.

    kind: auto chooses by size. recall: the share of the `at` nearest that an approximate kind must find, or the search
    stays exact. slack: the share of items, new and gone together, from which the index is built anew.
    """

    kind: IndexKind = "auto"
    recall: Annotated[float, Field(gt=0, le=1)] = 0.98
    at: Annotated[int, Field(ge=1, le=1000)] = 50
    slack: Share = 0.05


class PoolSettings(_Section):
    """How the candidates of a query are chosen. Depth counts all of them.

    max_depth: depth of the most ambiguous query's pool; none: every pool is of `depth`. audit_near, audit_beyond: draws
    from what was ranked and not shown, near the cut and beyond. gold_share: of the pools, those with a hidden control;
    planted: of the controls, those that are an item far from the query. near_duplicate: cosine from which one item
    stands for another. diversity: 0 takes the best, 1 the most different. strata: metadata by which random draws are
    spread, the first that an item has. top_up: candidates of a later round at most.
    """

    depth: Annotated[int, Field(ge=2)] = 16
    max_depth: Annotated[int, Field(ge=2)] | None = None
    per_screen: Annotated[int, Field(ge=1, le=10)] = 8
    hard: Count = 3
    random: Count = 1
    audit_near: Count = 1
    audit_beyond: Count = 1
    gold_share: Share = 0.25
    planted: Share = 0.5
    proposers: tuple[str, ...] = ("dense", "neighbours", "lexical", "siblings")
    reach: Annotated[int, Field(ge=1)] = 100
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = 0.98
    diversity: Share = 0.0
    strata: tuple[str, ...] = ("domain", "category", "tags")
    top_up: Annotated[int, Field(ge=1)] = 8
    seed: int = 0

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.max_depth is not None and self.max_depth < self.depth:
            raise ValueError(f"max_depth {self.max_depth} is below depth {self.depth}")
        return self


class Negatives(_Section):
    """Which items may be proposed as hard negatives; names and meanings of sentence-transformers' miner.

    range_min and range_max: ranks by similarity to the query, from 0, known positives left out; without range_max it
    follows from num_negatives, as there. relative_margin: a negative scores at most (1 - margin) times the known
    positive's score. num_negatives: what one source offers at most; sampling_strategy: its best, or drawn.
    sources: who may offer, in turn. discarded: so many of their places in a pool go to what a margin forbids.
    """

    range_min: Count = 0
    range_max: Count | None = 40
    max_score: float | None = None
    min_score: float | None = None
    absolute_margin: float | None = None
    relative_margin: float | None = 0.05
    num_negatives: Annotated[int, Field(ge=1)] = 10
    sampling_strategy: Literal["top", "random"] = "top"
    sources: tuple[str, ...] = ("near-miss", "look-alike", "confuser", "sibling")
    discarded: Count = 1

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.range_max is not None and self.range_min > self.range_max:
            raise ValueError(f"range_min {self.range_min} is above range_max {self.range_max}")
        return self


class Media(_Section):
    """Where media are read from, and how annotators' browsers get them.

    serve: by Label Studio's local files; by http from where `base` says, or as the corpus has them; or from a bucket.
    document_root: the folder that Label Studio serves local files from, counted from the workspace.
    to: where the files for browsers are put: a folder, counted from the workspace, or a bucket. base: its URI.
    presign: whether browsers fetch from the bucket themselves, by signed URIs, or through Label Studio.
    max_broken: share of the items whose media cannot be read or encoded above which the index stays as it was.
    allow: URIs below which media may be fetched. fresh_for and all timeouts are seconds, total_timeout that of one
    medium with all its tries. cache_bytes: of the copies that are kept; also the largest archive that is fetched.
    """

    serve: Literal["local-files", "http", "s3"] = "local-files"
    document_root: str = "."
    to: str = "media/thumbs"
    base: str = ""
    presign: bool = True
    thumbnail: Annotated[int, Field(ge=64, le=2048)] = 384
    max_bytes: Annotated[int, Field(ge=1)] = 50_000_000
    max_broken: Share = 0.25
    max_pixels: Annotated[int, Field(ge=1, le=170_000_000)] = 80_000_000
    allow: tuple[str, ...] = ()
    allow_private: bool = False
    fresh_for: Annotated[float, Field(ge=0)] = 86_400.0
    cache_bytes: Annotated[int, Field(ge=1)] = 20_000_000_000
    connect_timeout: Seconds = 10.0
    read_timeout: Seconds = 30.0
    total_timeout: Seconds = 120.0
    tries: Annotated[int, Field(ge=1, le=10)] = 4

    @field_validator("allow")
    @classmethod
    def _are_places(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        problems = []
        for entry in allow:
            try:
                places.parse(entry)
            except Unreadable as error:
                problems.append(error.what)
        if problems:
            raise ValueError(" ".join(problems))
        return allow

    @model_validator(mode="after")
    def _is_served(self) -> Self:
        bucket = self.to.startswith(("s3://", "gs://", "az://"))
        if "://" in self.to and not bucket:
            raise ValueError("to is a folder, or a bucket: s3://, gs:// or az://")
        if self.serve == "s3" and not bucket:
            raise ValueError("serve = 's3' needs a bucket in `to`: s3://bucket/thumbs, gs:// or az://")
        if self.base and (self.serve != "http" or not self.base.startswith(("http://", "https://"))):
            raise ValueError("base is an http(s) URI, and goes with serve = 'http'")
        if bucket and not self.base and self.serve != "s3":
            raise ValueError("a bucket in `to` needs serve = 's3', or serve = 'http' with the bucket's base")
        return self


class Corpus(_Section):
    """How the corpus and the queries are read. max_broken: share of broken rows above which nothing is read."""

    max_broken: Share = 0.01


class Gates(_Section):
    """What the data must reach before anything is published; a gate that is not set is not checked.

    Two are ceilings. false_negative_bound: of the items that were not shown at most so many are relevant, by the audit
    and at 95 %. untouched: share of answers that were left as predicted.
    """

    alpha: float | None = None
    gold_accuracy: Share | None = None
    judged_at_10: Share | None = None
    coverage: Share | None = None
    false_negative_bound: Share | None = None
    untouched: Share | None = None


ConsensusMethod = Literal["ordinal-dawid-skene", "dawid-skene", "majority", "median", "fused"]


class ConsensusSettings(_Section):
    """How many answers become one grade.

    method: of grades alone, or `fused`: of grades, preferences and rankings together. models: pseudonyms of annotators
    that are no people; nothing of theirs is counted. beside: names of projects whose answers `fused` takes too, as of
    pairs and rankings of what is graded here.
    """

    method: ConsensusMethod = "ordinal-dawid-skene"
    models: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


class Quality(_Section):
    """How annotators are looked at. docs/gold.md says what each figure means.

    pass: share of right answers from which a qualification that is made now is passed. tasks: how many it has.
    votes, confidence: from which a pair's consensus may become gold; per_grade: how many pairs of a grade at most, not
    counting those that measured `worn` people: word of them has gone round.
    evidence: how many times likelier the answers to gold are from somebody who does not look at them than from a
    careful annotator, to be flagged; of the careful at most 1 in so many is. seconds: median for a judgment below which
    somebody is too fast; untouched: share of answers sent off as prefilled; few: answers from which these two are told.
    repeat_share: of the queries, those whose tasks are asked twice. apart, below: grades between two votes on a pair,
    and confidence of its consensus, from which it goes to adjudication. recheck: exported pairs of each side that are
    judged once more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    pass_mark: Annotated[Share, Field(alias="pass")] = 0.8
    tasks: Annotated[int, Field(ge=1)] = 20
    votes: Annotated[int, Field(ge=2)] = 3
    confidence: Share = 0.95
    per_grade: Annotated[int, Field(ge=1)] = 20
    worn: Annotated[int, Field(ge=1)] = 20
    evidence: Annotated[float, Field(gt=1)] = 10.0
    seconds: Annotated[float, Field(ge=0)] = 0.7
    untouched: Share = 0.5
    few: Annotated[int, Field(ge=1)] = 5
    repeat_share: Share = 0.05
    apart: Annotated[int, Field(ge=1)] = 2
    below: Share = 0.6
    recheck: Annotated[int, Field(ge=1)] = 100


class Splits(_Section):
    """Shares of the queries, by hash of query_id; the rest is `train`."""

    dev: Share = 0.1
    test: Share = 0.2

    @model_validator(mode="after")
    def _leaves_train(self) -> Self:
        if self.dev + self.test > 1:
            raise ValueError(f"dev and test are {self.dev + self.test:g} of the queries together, more than all")
        return self


class Export(_Section):
    """How data sets hold media: embedded in Parquet or copied beside it, as the format's loader expects (auto); or by
    reference, as the corpus has them. pictures: as they are, or as the annotators saw them. negatives: how many a row
    has, at most, in formats whose rows have several. confidence: that the consensus needs to have in a negative before
    it may be trained on.
    """

    media: Literal["auto", "embedded", "copied", "reference"] = "auto"
    pictures: Literal["originals", "thumbnails"] = "originals"
    negatives: Annotated[int, Field(ge=1, le=100)] = 5
    confidence: Share = 0.75


Purpose = Literal["main", "qualification", "adjudication", "recheck"]
"""What a project is for: data, telling who answers carefully, deciding what others disagree about, or judging a sample
of what is exported once more.
"""


class Project(_Section):
    """One Label Studio project on this workspace. votes: annotations wanted per task.

    domain: of its queries; those of every domain without it. adjudicates: the project whose pairs it decides;
    rechecks: the project whose export it judges a sample of.
    pass_mark: share of right answers from which a qualification is passed.
    """

    id: int
    form: str = "graded"
    query: Modality = "text"
    candidates: Shown = "image"
    mode: Mode = "blind"
    votes: Annotated[int, Field(ge=1)] = 1
    purpose: Purpose = "main"
    domain: str = ""
    adjudicates: str = ""
    rechecks: str = ""
    pass_mark: Share | None = None

    @model_validator(mode="after")
    def _has_what_its_purpose_needs(self) -> Self:
        if (self.purpose == "adjudication") != bool(self.adjudicates):
            raise ValueError("purpose = 'adjudication' and adjudicates = 'NAME' go together")
        if (self.purpose == "recheck") != bool(self.rechecks):
            raise ValueError("purpose = 'recheck' and rechecks = 'NAME' go together")
        if (self.purpose == "qualification") != (self.pass_mark is not None):
            raise ValueError("purpose = 'qualification' and pass_mark go together")
        return self


class Earlier(BaseModel):
    """What the grades of earlier rules are now: earlier grade to present grade, a line each, beside `to`.

    A grade that is not named is left out of the data. to: hash of the rules that this was written for; where the
    present ones are others, it holds no longer.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[
        Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)$")], Annotated[int, Field(strict=True, ge=0)]
    ]

    to: RulesHash | None = None

    @property
    def grades(self) -> dict[str, int]:
        """Earlier grade, as judgments write it, to present grade; the lowest first."""
        return dict(sorted(self.__pydantic_extra__.items(), key=lambda pair: int(pair[0])))


class Settings(_Section):
    """The whole file."""

    encoders: dict[str, Encoder] = {}
    index: IndexSettings = IndexSettings()
    pool: PoolSettings = PoolSettings()
    negatives: Negatives = Negatives()
    corpus: Corpus = Corpus()
    media: Media = Media()
    gates: Gates = Gates()
    consensus: ConsensusSettings = ConsensusSettings()
    quality: Quality = Quality()
    splits: Splits = Splits()
    export: Export = Export()
    projects: dict[str, Project] = {}
    mappings: dict[RulesHash, Earlier] = {}

    @model_validator(mode="after")
    def _names_its_projects(self) -> Self:
        unknown = sorted(set(self.consensus.beside) - self.projects.keys())
        if unknown:
            raise ValueError(f"[consensus] beside names projects that are not there: {', '.join(unknown)}")
        if self.consensus.beside and self.consensus.method != "fused":
            raise ValueError("[consensus] beside needs method = 'fused'")
        return self

    def judges(self, project: str) -> list[str]:
        """Names of the projects that adjudicate the one of that name."""
        return [name for name, one in self.projects.items() if one.adjudicates == project]


def load(path: Path) -> Settings:
    """Read settings.toml. Raises Unreadable with every problem and its place."""
    try:
        return parse(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise Unreadable(
            f"There is no {path}.", mend=f"`ls-retrieval init --workspace {path.parent}` makes a workspace."
        ) from error


def parse(content: bytes, name: str) -> Settings:
    """The settings that a file's content holds. Raises Unreadable as `load`; name: of the file, for messages."""
    try:
        return validated(tomllib.loads(content.decode()), name)
    except (ValueError, RecursionError) as error:  # numbers of too many digits among them
        raise Unreadable(f"{name} is not TOML: {error}.") from error


def validated(values: Mapping[str, object], name: str) -> Settings:
    """The settings of these sections. Raises Unreadable with every problem and its place."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems = [f"{_place(e['loc'])}: {_MEANT.get(e['type'], e['msg'])}" for e in error.errors()]
        raise Unreadable(f"{name} has settings that cannot be used.", problems=problems) from error


_MEANT = {"extra_forbidden": "there is no such setting"}
"""What pydantic means, where its own words say it to programmers alone."""


def _place(loc: Sequence[str | int]) -> str:
    """Where a problem is, in the file's own words: without the encoder's kind, which pydantic names after it."""
    named = [*loc[:2], *loc[3:]] if loc[:1] == ("encoders",) else loc
    return ".".join(map(str, named))


def starter() -> str:
    """Text of a settings file to begin with."""
    return (resources.files("store") / "starter.toml").read_text("utf-8")


def add_project(path: Path, name: str, project: Project) -> None:
    """Append a project's section to settings.toml; the rest of the file stays as somebody wrote it."""
    values = project.model_dump()
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value not in ("", None)]
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)
    section = "\n".join(["", f"[projects.{key}]", *lines, ""])
    there = path.read_bytes()
    files.write(path, there + (b"" if there.endswith(b"\n") else b"\n") + section.encode())


def _toml(value: object) -> str:
    """A number or a string: JSON's way to write them is TOML's too."""
    return json.dumps(value, ensure_ascii=False)
