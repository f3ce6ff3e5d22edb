"""Everything that formats, report and gates look at, gathered once: a pure view of a workspace's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from label_configs.records import Candidate, Item, Judgment, Pool, Qrel, Query, Relevance, Role, ScoredDoc
from label_configs.rules import Rules
from store import mappings, pools, times
from store.judgments import Table
from store.mappings import Mapped
from store.media import Media
from store.settings import Settings
from store.workspace import Workspace
from sync import splits
from sync.consensus import Consensus, consensus

UNTRAINED: frozenset[Role] = frozenset({"control", "random", "audit"})
"""Roles whose pairs never reach training: they measure annotators and pools."""


class State(NamedTuple):
    """The times that judgments and pools are as of, each by its own clock: Label Studio's, and this machine's."""

    judgments: str
    pools: str


@dataclass(frozen=True)
class Dataset:
    """Judged queries and items of one project under one set of rules. mapped: what came in from earlier rules."""

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

    @cached_property
    def consensus(self) -> Consensus:
        """Relevance by pair, and what was learned of the annotators."""
        return consensus(self.judgments, self.rules)

    @cached_property
    def candidates(self) -> Mapping[tuple[str, str], Candidate]:
        """Why each pair was shown; the latest round counts."""
        return {(pool.query_id, c.doc_id): c for pool in self.pools for c in pool.candidates}

    @cached_property
    def qrels(self) -> list[Qrel]:
        """The relevance as graded qrels, in the order of their ids."""
        return [Qrel(r.query_id, r.doc_id, r.grade) for r in self.consensus.relevance]

    @cached_property
    def trainable(self) -> Mapping[str, list[Relevance]]:
        """By query_id what may reach training: relevance whose pair was no control, hardest to tell first."""
        found: dict[str, list[Relevance]] = {}
        for r in self.consensus.relevance:
            shown = self.candidates.get((r.query_id, r.doc_id))
            if shown and shown.role not in UNTRAINED:
                found.setdefault(r.query_id, []).append(r)
        for query_id, rows in found.items():
            rows.sort(key=lambda r: (-self.candidates[query_id, r.doc_id].score, r.doc_id))
        return found

    def split(self, query_id: str) -> str:
        """The split that a query belongs to, for ever."""
        return splits.split(query_id, self.settings.splits)


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
    table, at = Table(workspace.judgments / str(chosen.id)), as_of or State(*2 * (times.END,))
    made = pools.load(workspace.pools, at.pools).values()
    given = table.current(at.judgments)
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
        run=pools.run(workspace.pools, fits, at.pools),
        judgments=judgments,
        mapped=mapped,
        state=State(table.latest(at.judgments), pools.newest(workspace.pools, at.pools)),
    )
