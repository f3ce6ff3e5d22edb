"""The tasks of a project: whether the workspace knows what they show and by which rules they are answered."""

from collections.abc import Iterator
from itertools import islice

from label_configs.forms.envelope import KEY, is_filled
from ls_retrieval.doctor.finding import Finding, fail, ok, warn
from ls_retrieval.doctor.server import Seen
from store import pools
from sync.tasks import listing

_LOOKED_AT = 5_000
"""So many tasks are looked at, the first ones."""


def check(seen: Seen) -> Iterator[Finding]:
    """Tasks of pools or rules that the workspace does not hold, and bare ones that wait."""
    there = list(islice(listing(seen.client, seen.project.id, include="id,meta"), _LOOKED_AT))
    filled = [task for task in there if is_filled(task)]
    of = f", of the first {_LOOKED_AT}" if len(there) == _LOOKED_AT else ""
    yield ok(f"{len(filled)} tasks with candidates, {len(there) - len(filled)} without{of}")
    known = {pool.pool_id for pool in pools.each(seen.workspace.pools_of(seen.project))}
    lost = [f"task {task['id']}" for task in filled if task["meta"][KEY].get("pool_id") not in known]
    if lost:
        mend = "They were pushed from another workspace, or pools/ was lost: restore it, or their sources are unknown."
        yield warn(f"{len(lost)} tasks are of pools that the workspace does not hold", mend, lost)
    for rules_hash in dict.fromkeys(str(task["meta"][KEY].get("rules_hash")) for task in filled):
        if seen.workspace.rules_of(rules_hash) is None:
            mend = f"Put their file back, as rules/{rules_hash}.yaml: without it their answers cannot be read."
            yield fail(f"tasks were made under the rules {rules_hash}, which the workspace does not hold", mend)
