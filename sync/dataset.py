"""Everything that formats, report and gates look at, gathered once: a pure view of a workspace's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from label_configs.records import Candidate, Item, Judgment, Pool, Qrel, Query, Relevance, Role, ScoredDoc
from label_configs.rules import Rules
from store import gold, mappings, pools, times
from store.gold import Gold
from store.judgments import Table
from store.mappings import Mapped
from store.media import Media
from store.settings import Settings
from store.workspace import Workspace
from sync import adjudication, scale, splits
from sync.consensus import Consensus, Votes, consensus, grades
from sync.copies import copies
from sync.gold.answers import Answer, answers
from sync.others import others
from sync.said import Said, said
from sync.splits import Frozen, Leak, Split
from sync.votes import programs

UNTRAINED: frozenset[Role] = frozenset({"control", "random", "audit"})
"""Roles whose pairs never reach training: they measure annotators and pools."""


class State(NamedTuple):
    """The times that judgments and pools are as of, each by its own clock: Label Studio's, and this machine's."""

    judgments: str
    pools: str


@dataclass(frozen=True)
class Dataset:
    """Judged queries and items of one project under one set of rules. mapped: what came in from earlier rules.

    verdicts: answers of the projects that adjudicate this one; rechecked: of those that judge a sample of it again;
    beside: of those that `[consensus]` fuses with it. gold: pairs whose grade is known.
    """

    name: str
    rules: Rules
    settings: Settings
    media: Media
    items: Mapping[str, Item]
    queries: Mapping[str, Query]
    pools: Sequence[Pool]
    run: Sequence[ScoredDoc]
    judgments: Sequence[Judgment]
    mapped: Sequence[Mapped]
    state: State
    frozen: Frozen | None = None
    verdicts: Sequence[Judgment] = ()
    rechecked: Sequence[Judgment] = ()
    beside: Sequence[Judgment] = ()
    gold: Mapping[tuple[str, str], Gold] = field(default_factory=dict)

    @cached_property
    def consensus(self) -> Consensus:
        """Relevance by pair, and what was learned of the annotators. What was adjudicated is as it was decided."""
        chosen = self.settings.consensus
        found = (
            scale.consensus([*self.judgments, *self.beside], self.rules, chosen.models)
            if chosen.method == scale.METHOD
            else consensus(self.judgments, self.rules, chosen.method, models=chosen.models)
        )
        return adjudication.decided(found, self.verdicts, self.rules)

    @cached_property
    def programs(self) -> frozenset[str]:
        """Annotators that are no people: what they answered is kept, and counts in no figure beside their own."""
        return programs(self.judgments, self.settings.consensus.models)

    @cached_property
    def by_people(self) -> Sequence[Judgment]:
        """The judgments of people."""
        return [j for j in self.judgments if j.annotator not in self.programs] if self.programs else self.judgments

    @cached_property
    def votes(self) -> Votes:
        """The grades that people gave."""
        return grades(self.judgments, self.rules, self.settings.consensus.models)

    @cached_property
    def spoken(self) -> Sequence[Judgment]:
        """The judgments of people, judges too: what data sets take for somebody's word."""
        return [*self.by_people, *self.verdicts]

    @cached_property
    def answers(self) -> list[Answer]:
        """The answers to gold among the judgments."""
        return answers(self.by_people, self.pools, self.gold, self.rules)

    @cached_property
    def candidates(self) -> Mapping[tuple[str, str], Candidate]:
        """Why each pair was shown at first: a repeat, in which it may be gold by now, changes no source's yield."""
        latest_first = sorted(self.pools, key=lambda pool: -pool.round)
        return {(pool.query_id, c.doc_id): c for pool in latest_first for c in pool.candidates}

    @cached_property
    def qrels(self) -> list[Qrel]:
        """The relevance as graded qrels, in the order of their ids."""
        return [Qrel(r.query_id, r.doc_id, r.grade) for r in self.consensus.relevance]

    @cached_property
    def trainable(self) -> Mapping[str, list[Relevance]]:
        """By query_id what may reach training: relevance whose pair is no gold, in whose text and medium nothing
        is at odds, and whose item answers no query of a later split; negatives as sure as `[export] confidence` asks.
        Hardest to tell first.
        """
        found: dict[str, list[Relevance]] = {}
        for r in self._shown:
            if not self._is_unsure(r) and not self._leak(r.query_id, r.doc_id):
                found.setdefault(r.query_id, []).append(r)
        for query_id, rows in found.items():
            rows.sort(key=lambda r: (-self.candidates[query_id, r.doc_id].score, r.doc_id))
        return found

    @cached_property
    def unsure(self) -> list[Relevance]:
        """Negatives that were left out of `trainable` because the consensus is less sure than `[export] confidence`."""
        return [r for r in self._shown if self._is_unsure(r)]

    @cached_property
    def leaks(self) -> list[Leak]:
        """What was left out of `trainable` because its item answers a query of a later split."""
        return [leak for r in self._shown if (leak := self._leak(r.query_id, r.doc_id))]

    @cached_property
    def said(self) -> Mapping[tuple[str, str], Said]:
        """By pair what people said beside its grade, judges too."""
        return said(self.spoken, self.rules)

    @cached_property
    def apart(self) -> list[Relevance]:
        """The dissonant positives, which `trainable` leaves out; without controls and leaks, by their ids."""
        return [r for r in self.consensus.relevance if self.dissonant(r) and self.may_train(r.query_id, r.doc_id)]

    @cached_property
    def twins(self) -> Mapping[str, str]:
        """Items that look the same as another; see `splits.twins`. Of what was judged or is known, copies count too."""
        given = [*self.judgments, *self.beside]
        named = {doc_id for j in given for doc_id in (j.doc_id, j.other_doc_id)}
        shown = named.union(*(query.positives for query in self.queries.values()))
        seen = (self.items[doc_id] for doc_id in sorted(shown & self.items.keys()))
        return splits.twins(self.items, self.pools, copies(seen, self.media))

    @cached_property
    def gains(self) -> tuple[float, ...]:
        """Each grade as a weight from 0 to 1: its distance from the lowest grade by that of the highest."""
        low, high = min(self.rules.values), max(self.rules.values)
        return tuple(round((grade - low) / (high - low), 4) if high > low else 1.0 for grade in self.rules.values)

    @cached_property
    def named(self) -> dict[str, str]:
        """How data sets name a medium, by its URI: filled as media are read, so that each is hashed once."""
        return {}

    def split(self, query_id: str) -> Split:
        """The split that a query belongs to, for ever."""
        return self._splits[query_id]

    def may_train(self, query_id: str, doc_id: str) -> bool:
        """Whether a pair may reach training, whatever was said of it: it measures neither annotators nor pools, and its
        item answers no query of a later split.
        """
        return self._to_train(query_id, doc_id) and not self._leak(query_id, doc_id)

    @cached_property
    def _shown(self) -> list[Relevance]:
        """Relevance of pairs that measure neither annotators nor pools, and that are not dissonant."""
        rows = self.consensus.relevance
        return [r for r in rows if self._to_train(r.query_id, r.doc_id) and not self.dissonant(r)]

    def _is_unsure(self, r: Relevance) -> bool:
        return r.grade in self.rules.negative and r.confidence < self.settings.export.confidence

    def _to_train(self, query_id: str, doc_id: str) -> bool:
        candidate = self.candidates.get((query_id, doc_id))
        pair = query_id, doc_id
        return candidate is not None and candidate.role not in UNTRAINED and pair not in self.gold

    def dissonant(self, r: Relevance) -> bool:
        """Whether a positive holds in another than the literal sense for most who answered."""
        about = self.said.get((r.query_id, r.doc_id))
        return r.grade in self.rules.positive and about is not None and about.dissonant

    @cached_property
    def _splits(self) -> Mapping[str, Split]:
        return {q: splits.split(query, self.settings.splits, self.frozen) for q, query in self.queries.items()}

    @cached_property
    def _held(self) -> Mapping[Split, frozenset[str]]:
        answers = {q: set(query.positives) & self.items.keys() for q, query in self.queries.items()}
        for r in self.consensus.relevance:
            if r.grade in self.rules.positive:
                answers[r.query_id].add(r.doc_id)
        return splits.held(answers, self.split, self.twins)

    def _leak(self, query_id: str, doc_id: str) -> Leak | None:
        name, item = self.split(query_id), self.twins.get(doc_id, doc_id)
        return Leak(name, query_id, doc_id) if item in self._held[name] else None


def load(workspace: Workspace, project: str, as_of: State | None = None) -> Dataset:
    """Gather a project's data. Judgments on queries and items that left the corpus are left out.

    as_of: the state of judgments and pools that is wanted; the present one without it. Corpus, rules and settings are
    the present ones always.
    Raises Unreadable for judgments of earlier rules, unless the settings say what their grades are now.
    """
    chosen, rules, settings = workspace.project(project), workspace.rules, workspace.settings
    queries = {q.query_id: q for q in workspace.read_queries().records}
    items = {i.doc_id: i for i in workspace.read_items().records}
    fits = pools.fitting(chosen, queries.values(), items.values())
    folder, at = workspace.pools_of(chosen), as_of or State(*2 * (times.END,))
    around = others(settings, project)
    judges, checks, beside = ({settings.projects[name].id for name in names} for names in around)
    numbers = chosen.id, *(settings.projects[name].id for name in around.all)
    tables = [Table(workspace.judgments / str(number)) for number in numbers]
    made = pools.load(folder, at.pools).values()
    given = [j for table in tables for j in table.current(at.judgments)]
    given = [j for j in given if j.query_id in queries and (not j.doc_id or j.doc_id in items)]
    judgments, mapped = mappings.bring(given, rules, settings.mappings, workspace.rules_of)
    return Dataset(
        name=project,
        rules=rules,
        settings=settings,
        media=Media(workspace.root, settings.media),
        items=items,
        queries=queries,
        pools=[pool for pool in made if any(fits(pool.query_id, c.doc_id) for c in pool.candidates)],
        run=pools.run(folder, fits, at.pools),
        judgments=[j for j in judgments if j.project not in judges | checks | beside],
        mapped=mapped,
        frozen=splits.frozen(workspace.frozen, queries.keys()),
        state=State(max(table.latest(at.judgments) for table in tables), pools.newest(folder, at.pools)),
        verdicts=[j for j in judgments if j.project in judges and j.annotator not in settings.consensus.models],
        rechecked=[j for j in judgments if j.project in checks and j.annotator not in settings.consensus.models],
        beside=[j for j in judgments if j.project in beside and fits(j.query_id, j.doc_id)],
        gold=gold.load(workspace.gold, rules),
    )
