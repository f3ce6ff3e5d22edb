"""A workspace: one folder of plain files for one corpus, with any number of Label Studio projects on it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from label_configs import rules as rules_file
from label_configs.errors import Mendable, Unreadable
from label_configs.records import DIGEST, Item, Query
from label_configs.rules import Rules
from store import corpus as corpus_files
from store import files, known
from store import settings as settings_file
from store.settings import Project, Settings


class Contents(NamedTuple):
    """Corpus and queries, and a sentence for each row of theirs that is left out."""

    items: list[Item]
    queries: list[Query]
    broken: list[str]


@dataclass(frozen=True)
class Workspace:
    """Where everything lies. Paths only: nothing is made or read before it is asked for."""

    root: Path

    @property
    def rules_path(self) -> Path:
        """What answers mean."""
        return self.root / "rules.yaml"

    @property
    def kept_rules(self) -> Path:
        """A copy of every rules file by which projects and tasks were made, named by its hash."""
        return self.root / "rules"

    @property
    def settings_path(self) -> Path:
        """Everything else that people set."""
        return self.root / "settings.toml"

    @property
    def corpus(self) -> Path:
        """The items: a file or a folder, whichever there is. Raises Unreadable where there are several."""
        return corpus_files.find(self.root, "corpus")

    @property
    def queries(self) -> Path:
        """The queries. Raises Unreadable where there are several files of them."""
        return corpus_files.find(self.root, "queries", corpus_files.FILES)

    @property
    def known(self) -> Path:
        """What is known of queries beside the positives that they name; made by `take`."""
        return self.root / "known.tsv"

    @property
    def embeddings(self) -> Path:
        """Vectors by content hash, one folder an encoder fingerprint."""
        return self.root / "embeddings"

    @property
    def index(self) -> Path:
        """Indexes, one folder an encoder fingerprint."""
        return self.root / "index"

    @property
    def pools(self) -> Path:
        """Candidates, append-only."""
        return self.root / "pools"

    def pools_of(self, project: Project) -> Path:
        """The pools of a project: those that all main projects share, or its own where it is for something else."""
        return self.pools if project.purpose == "main" else self.pools / str(project.id)

    @property
    def gold(self) -> Path:
        """Pairs whose grade is known, by which annotators are measured."""
        return self.root / "gold.tsv"

    @property
    def judgments(self) -> Path:
        """What annotators said, append-only."""
        return self.root / "judgments"

    @property
    def thumbnails(self) -> Path:
        """Pictures as annotators see them, named by content."""
        return self.root / "media" / "thumbs"

    @property
    def frozen(self) -> Path:
        """The query_ids of an evaluation split that stays as it is, a line each; made by `freeze`."""
        return self.root / "test-queries.txt"

    @property
    def exports(self) -> Path:
        """Data sets written by `export` and `sync`."""
        return self.root / "exports"

    @property
    def rules(self) -> Rules:
        """The parsed rules file."""
        if not self.rules_path.exists():
            raise Mendable(
                f"There is no {self.rules_path}.",
                mend=f"`ls-retrieval init --workspace {self.root}` makes one.",
            )
        return _parsed(self.rules_path, self.rules_path.read_bytes())

    def keep_rules(self, rules: Rules) -> None:
        """Keep a copy of the rules file, once: answers to the tasks that are made by it are read by it for ever.

        rules: what the file held when it was read; Mendable where it holds something else by now.
        """
        kept = self._kept(rules.hash)
        if kept.exists():
            return
        content = self.rules_path.read_bytes()
        if _parsed(self.rules_path, content).hash != rules.hash:
            raise Mendable(f"{self.rules_path} was changed while it was in use.", mend="Try again.")
        files.write(kept, content)

    def rules_of(self, rules_hash: str) -> Rules | None:
        """The rules of that hash, kept or present; None where the workspace does not know them."""
        if not re.fullmatch(DIGEST, rules_hash):
            return None
        kept = self._kept(rules_hash)
        if not kept.exists():
            return self.rules if self.rules.hash == rules_hash else None
        rules = _parsed(kept, kept.read_bytes())
        if rules.hash != rules_hash:
            raise Unreadable(
                f"{kept} was changed: it holds the rules {rules.hash}.",
                mend="Put the file back as it was; new rules belong into rules.yaml.",
            )
        return rules

    def earlier_rules(self) -> Iterator[Rules]:
        """The kept rules that are not the present ones, in the order of their hashes."""
        present = self.rules.hash
        for path in sorted(self.kept_rules.glob("*.yaml")):
            rules = self.rules_of(path.stem)
            if rules is not None and path.stem != present:
                yield rules

    @property
    def settings(self) -> Settings:
        """The parsed settings file."""
        return settings_file.load(self.settings_path)

    def read_items(self) -> corpus_files.Read[Item]:
        """The corpus, with what is broken in it. Raises Unreadable where that is more than settings allow."""
        return corpus_files.items(self.corpus, self.settings.corpus.max_broken)

    def read_queries(self) -> corpus_files.Read[Query]:
        """The queries with all that is known of them, and what is broken in them. Raises Unreadable where that is more
        than settings allow.
        """
        read = corpus_files.queries(self.queries, self.settings.corpus.max_broken)
        if not self.known.exists():
            return read
        rules = self.rules
        return replace(read, records=known.joined(read.records, known.read(self.known, rules), rules))

    def read(self) -> Contents:
        """Corpus and queries. Raises Unreadable too where they do not belong together."""
        items, queries = self.read_items(), self.read_queries()
        share = self.settings.corpus.max_broken
        unknown = corpus_files.check_positives(self.queries, queries.records, items.records, share)
        return Contents(items.records, queries.records, [*items.broken, *queries.broken, *unknown])

    def project(self, name: str) -> Project:
        """A project's settings; Mendable lists the names there are."""
        projects = self.settings.projects
        if name not in projects:
            raise Mendable(
                f"The workspace {self.root} has no project {name!r}.",
                mend=f"`ls-retrieval init --workspace {self.root} --project {name}` makes it."
                + (f" There are: {', '.join(projects)}." if projects else ""),
            )
        return projects[name]

    def _kept(self, rules_hash: str) -> Path:
        return self.kept_rules / f"{rules_hash}.yaml"


def _parsed(path: Path, content: bytes) -> Rules:
    try:
        return rules_file.parse(content.decode(), str(path))
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8: {error}.") from error
