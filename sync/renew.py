"""Predictions of a model that has learned: stored for the tasks that nobody works on, and shown once all of them are.

Label Studio shows the predictions of one version, that of the project. A push names it; from then on predictions of a
later one are stored and not seen, until the project is switched to it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from label_configs.errors import Mendable
from label_configs.forms.envelope import is_filled
from sync.fill import keep_prediction
from sync.label_studio import explained
from sync.tasks import busy, listing

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

OURS = "ls-retrieval-"
"""How every version of ours begins; another is an address or a title that somebody chose, and is left alone."""
MOST = 2000
"""Open tasks of a project up to which predictions are renewed: each is a request."""
Predict = Callable[[Mapping[str, Any]], dict[str, Any] | None]


def renew(client: "LabelStudio", project: int, version: str, predict: Predict) -> int:
    """Bring what a project shows to a version; returns how many predictions were stored.

    Killed at any point, it is run again and stores none twice. Raises Mendable where there are too many open tasks.
    """
    with explained(f"looking at project {project}"):
        shown = str(client.projects.get(project).model_version or "")
        if shown == version or not shown.startswith(OURS):
            return 0
        there = {one.task for one in client.predictions.list(project=project) if one.model_version == version}
    open_tasks = [task for task in listing(client, project) if is_filled(task) and not busy(task)]
    if len(open_tasks) > MOST:
        raise Mendable(
            f"Project {project} shows predictions of {shown}: of {len(open_tasks)} open tasks none was predicted anew.",
            mend="Select them in the Data Manager, Actions, Retrieve Predictions; then set the project's model_version "
            f"to {version}.",
        )
    made = 0
    for task in open_tasks:
        prediction = None if task["id"] in there else predict(task)
        if prediction is not None:
            keep_prediction(client, int(task["id"]), prediction)
            made += 1
    if made or there:  # a version without predictions is refused
        with explained(f"letting project {project} show the predictions of {version}"):
            client.projects.update(project, model_version=version)
    return made
