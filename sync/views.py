"""Tabs of Label Studio's Data Manager: the tasks of one domain, and those that one annotator has answered.

The community edition assigns no tasks to people. A tab can be given to them: "Label Tasks As Displayed", in the menu
beside "Label All Tasks", goes through its tasks alone.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sync.label_studio import ONCE, explained

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

_SHOWN = {"type": "list", "ordering": ["tasks:id"]}


class Tab(NamedTuple):
    """A tab: what it is called, and the one filter by which it is known."""

    title: str
    column: str
    operator: str
    type: str
    value: str | int

    @property
    def data(self) -> dict[str, Any]:
        """The tab as Label Studio keeps it."""
        item = {
            "filter": f"filter:tasks:{self.column}",
            "operator": self.operator,
            "type": self.type,
            "value": self.value,
        }
        return {**_SHOWN, "title": self.title, "filters": {"conjunction": "and", "items": [item]}}


def of_domains(domains: Collection[str]) -> list[Tab]:
    """A tab for each domain, where there are several; queries without one have none."""
    named = sorted(set(domains) - {""})
    return [Tab(name, "data.domain", "equal", "String", name) for name in named] if len(set(domains)) > 1 else []


def of_annotators(users: Mapping[str, int], tags: Mapping[str, Sequence[str]]) -> list[Tab]:
    """A tab for each annotator who has an id here, called by pseudonym and tags. users: pseudonym to id."""
    return [
        Tab(" ".join([name, *of]), "annotators", "contains", "List", users[name])
        for name, of in sorted(tags.items())
        if name in users
    ]


def ensure(client: "LabelStudio", project: int, tabs: Sequence[Tab]) -> tuple[int, int]:
    """Make the tabs that are not there, and rename those whose tags have changed; how many of each.

    A tab that somebody gave a name of their own keeps it.
    """
    if not tabs:
        return 0, 0
    with explained(f"making tabs in project {project}"):
        there = {_known(view.data): view for view in client.views.list(project=project)}
        made = [tab for tab in tabs if _known(tab.data) not in there]
        renamed = [tab for tab in tabs if tab not in made and _outdated(_title(there[_known(tab.data)].data), tab)]
        for tab in made:
            client.views.create(project=project, data=tab.data, request_options=ONCE)
        for tab in renamed:
            view = there[_known(tab.data)]
            client.views.update(str(view.id), project=project, data=tab.data)
    return len(made), len(renamed)


def _outdated(title: str, tab: Tab) -> bool:
    """Whether a title is one that was given here, with other tags: it begins with the same pseudonym."""
    return tab.column == "annotators" and title != tab.title and title.split()[:1] == tab.title.split()[:1]


def _known(data: Any) -> tuple[tuple[str, str], ...]:
    """What a tab lets through: each filter's column and value."""
    filters = data.get("filters") if isinstance(data, dict) else None
    items = filters.get("items") if isinstance(filters, dict) else None
    return tuple((str(one.get("filter")), str(one.get("value"))) for one in items or ())


def _title(data: Any) -> str:
    return str(data.get("title")) if isinstance(data, dict) else ""
