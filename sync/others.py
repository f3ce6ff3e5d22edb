"""Which other projects have a part in what a project's data are."""

from itertools import chain
from typing import NamedTuple

from store.settings import Settings


class Others(NamedTuple):
    """Names of projects: of those that adjudicate it, that judge a sample of it again, and that are fused with it."""

    judges: list[str]
    checks: list[str]
    beside: list[str]

    @property
    def all(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(chain.from_iterable(self)))


def others(settings: Settings, project: str) -> Others:
    """Those of one project, as the settings have them."""
    return Others(
        judges=settings.judges(project),
        checks=[name for name, one in settings.projects.items() if one.rechecks == project],
        beside=[name for name in settings.consensus.beside if name != project],
    )
