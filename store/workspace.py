"""A workspace: one folder of plain files for one corpus, with any number of Label Studio projects on it."""

from dataclasses import dataclass
from pathlib import Path

from label_configs import rules as rules_file
from label_configs.errors import Mendable, Unreadable
from label_configs.rules import Rules
from store import settings as settings_file
from store.settings import Project, Settings


@dataclass(frozen=True)
class Workspace:
    """Where everything lies. Paths only: nothing is made or read before it is asked for."""

    root: Path

    @property
    def rules_path(self) -> Path:
        """What answers mean."""
        return self.root / "rules.yaml"

    @property
    def settings_path(self) -> Path:
        """Everything else that people set."""
        return self.root / "settings.toml"

    @property
    def corpus(self) -> Path:
        """The items."""
        return self.root / "corpus.jsonl"

    @property
    def queries(self) -> Path:
        """The queries."""
        return self.root / "queries.jsonl"

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

    @property
    def judgments(self) -> Path:
        """What annotators said, append-only."""
        return self.root / "judgments"

    @property
    def thumbnails(self) -> Path:
        """Pictures as annotators see them, named by content."""
        return self.root / "media" / "thumbs"

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
        try:
            text = self.rules_path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable(f"{self.rules_path} is not UTF-8: {error}.") from error
        return rules_file.parse(text, str(self.rules_path))

    @property
    def settings(self) -> Settings:
        """The parsed settings file."""
        return settings_file.load(self.settings_path)

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
