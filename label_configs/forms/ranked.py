"""Reading Ranker regions, in every shape that Label Studio and its older configs have given them."""

from label_configs.errors import quoted
from label_configs.forms import answers
from label_configs.forms.answers import Region
from label_configs.forms.envelope import Filled

BARE = ""
"""The name of a list that came without one."""
UNPLACED = "_"
"""The bucket of what nobody placed."""


def lists(region: Region, task: Filled) -> dict[str, list[int]]:
    """The positions in each list of a Ranker, in the order that they were given.

    Raises ValueError for a candidate that the task does not have, or that stands twice.
    """
    value = region.get("value")
    found = value.get("ranker") if isinstance(value, dict) else None
    named = {BARE: found} if isinstance(found, list) else found
    if not isinstance(named, dict) or not all(isinstance(ids, list) for ids in named.values()):
        raise ValueError(f"expected lists of candidates, found {quoted(found)}")
    positions = {str(name): _positions(ids, task) for name, ids in named.items()}
    together = [position for ids in positions.values() for position in ids]
    if len(set(together)) < len(together):
        raise ValueError(f"a candidate stands twice in {quoted(found)}")
    return positions


def suggestion(name: str, lists: dict[str, list[str]]) -> dict[str, object]:
    """The region that prefills a Ranker, with a copy of its value by which `answers.edited` tells what became of it.

    lists: opaque ids by bucket, or under the Ranker's own name.
    """
    region = answers.region(name, "ranker", lists, to="cards")
    return {**region, "meta": {answers.SUGGESTED: region["value"]}}


def _positions(ids: list[object], task: Filled) -> list[int]:
    """The position of each, at once where all are plain ids of the task."""
    try:
        return [task.places[one] for one in ids]  # type: ignore[index]
    except (KeyError, TypeError):
        return [task.position(_id(one)) for one in ids]


def _id(one: object) -> object:
    return one.get("id") if isinstance(one, dict) else one
