"""Whether workspace, backend and stored predictions are of one model."""

from collections.abc import Iterator

from ls_retrieval import compose
from ls_retrieval.doctor.finding import Finding, ok, warn
from ls_retrieval.doctor.server import Seen
from sync import projects


def check(seen: Seen) -> Iterator[Finding]:
    """The version of the model here, in the backend, and in the predictions that the project shows."""
    here = compose.ranker(seen.workspace, seen.project.id).version
    shown = projects.there(seen.client, seen.project)
    if not shown.total_predictions_number:
        yield ok(f"model {here}; {seen.name} holds no predictions yet")
    elif shown.model_version == here:
        yield ok(f"model {here}, as the predictions of {seen.name}")
    else:
        mend = (
            "With the backend running: select all tasks in the Data Manager, Actions, Retrieve Predictions; "
            f"then show them: PATCH /api/projects/{seen.project.id} with model_version {here}."
        )
        what = f"{seen.name} shows predictions of {shown.model_version or 'no model'}; the workspace's is {here}"
        yield warn(what, mend)
    for one in projects.backends(seen.client, seen.project)[:1]:
        if one.state == "CO" and one.model_version != here:
            mend = f"Is it `serve --workspace {seen.workspace.root}` that runs there? Its predictions are of its own."
            yield warn(f"the ML backend {one.url} serves {one.model_version}, not the workspace's {here}", mend)
