"""Learning: the judgments of one project as they stand, to the version that is used from now on.

Everything is fitted anew each time, so that what was edited or deleted is unlearned; who is stopped leaves the version
that was in use. The proof: queries are parted in five, and each part is ranked and graded by what the others taught.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from label_configs.errors import Mendable
from label_configs.records import Judgment, Pool, digest
from label_configs.rules import Rules
from ml_backend.learning import adapter as adapters
from ml_backend.learning import calibration as calibrations
from ml_backend.learning import proof
from ml_backend.learning.adapter import FOLDS, Adapter, Rows
from ml_backend.learning.calibration import Calibration
from ml_backend.learning.proof import Compared
from ml_backend.learning.versions import About, Learned, Shelf, parameters
from ml_backend.learning.views import Views, fingerprints, open_views
from ml_backend.learning.votes import Lesson, lessons, votes
from store import files, mappings, pools
from store.workspace import Workspace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RECIPE = 1  # raise it when the same judgments teach something else
_MOST = 2000
"""Queries that are learned from at most, chosen by a hash: so many are fitted within a minute, in a web worker."""


@dataclass(frozen=True)
class Taught:
    """What judgments teach, ready to be fitted. grades: by row, −1 where a row has none that calibrates."""

    rows: Rows
    grades: Ints
    untouched: int
    rules_hash: str
    encoders: Mapping[str, str]
    n_grades: int

    @property
    def version(self) -> str:
        """Hash of everything that the fit depends on."""
        rows = self.rows
        numbers = (rows.queries, rows.query, rows.items, rows.scores, rows.gains, self.grades)
        encoders = sorted(self.encoders.items())
        hashes = [sha256(array.tobytes()).hexdigest() for array in numbers]
        return digest(RECIPE, self.rules_hash, encoders, rows.query_ids, *hashes)


class Outcome(NamedTuple):
    """What learning did. learned: None where there is nothing to learn from. used: whether it is in use now."""

    learned: Learned | None
    used: bool


def learn(workspace: Workspace, project: int, *, dry_run: bool = False) -> Outcome:
    """Learn from the judgments of a Label Studio project. Raises Mendable while another process does.

    What was learned before from the same judgments is not fitted again. dry_run: say what would be learned, and keep
    nothing.
    """
    shelf = shelf_of(workspace, project)
    if dry_run:
        taught = teach(workspace, project)
        return Outcome(fit(taught) if taught else None, used=False)
    with files.locked(shelf.folder / ".lock", f"learning from project {project}"):
        taught = teach(workspace, project)
        if taught is None:
            shelf.forget()
            return Outcome(None, used=False)
        learned = _known(shelf, taught.version) or fit(taught)
        return Outcome(learned, shelf.put(learned))


def shelf_of(workspace: Workspace, project: int) -> Shelf:
    """Where the versions of a project lie."""
    return Shelf(workspace.root / "models" / str(project))


def teach(workspace: Workspace, project: int) -> Taught | None:
    """Read what the project's judgments teach, and the verdicts on them; None where nothing does."""
    rules, encoders = workspace.rules, fingerprints(workspace)
    judgments, verdicts = _read(workspace, [project], rules), _read(workspace, _judges(workspace, project), rules)
    given = votes(judgments, rules, verdicts)
    found = _chosen(lessons(given, judgments, _pools(workspace.pools, judgments, encoders)))
    if not found:
        return None
    rows = _rows(found, open_views(workspace))
    grades = np.array([-1 if one.grade is None else one.grade for one in found], dtype=np.int64)
    return Taught(rows, grades, given.untouched, rules.hash, encoders, len(rules.values))


def fit(taught: Taught) -> Learned:
    """The model of all that was taught, each part of it kept only where the proof says so."""
    adapter, held_out, ranking = _adapted(taught.rows)
    calibration, losses = _calibrated(taught, adapter, held_out)
    about = About(
        version=taught.version,
        rules_hash=taught.rules_hash,
        encoders=dict(taught.encoders),
        queries=len(taught.rows.query_ids),
        lessons=len(taught.rows.gains),
        graded=int((taught.grades >= 0).sum()),
        untouched=taught.untouched,
        ranking=ranking,
        losses=losses,
        slope=calibration.slope,
        cuts=calibration.cuts,
        calibrated=losses[1] < losses[0],
        adapted=adapter is not None,
        parameters=parameters(calibration, adapter),
    )
    return Learned(about, calibration, adapter)


def _adapted(rows: Rows) -> tuple[Adapter | None, Floats, Compared]:
    """The adapter where it is better, the scores of queries that were left out, and the comparison."""
    folds = rows.folds
    if len(folds) < proof.LEAST:
        return None, rows.scores, proof.compare([], [])
    fitting = adapters.Fit(rows)
    after = rows.scores.copy()
    for fold in range(FOLDS):
        queries = np.flatnonzero(folds == fold).tolist()
        corrected = _corrected(rows, queries, fitting.without(fold))
        for query in queries:
            after[rows.of(query)] = corrected[rows.of(query)]
    reached = [
        [proof.ndcg(scores[of], rows.gains[of]) for of in map(rows.of, range(len(folds)))]
        for scores in (rows.scores, after)
    ]
    compared = proof.compare(reached[0], reached[1])
    fitted = fitting.without() if compared.better else None
    return fitted, after if fitted else rows.scores, compared


def _corrected(rows: Rows, queries: Sequence[int] | range, adapter: Adapter | None) -> Floats:
    """All scores, those of some queries corrected."""
    found = rows.scores.copy()
    if adapter is None:
        return found
    for query in queries:
        of = rows.of(query)
        found[of] += adapter.corrections(rows.queries[query], rows.items[of])
    return found


def _calibrated(taught: Taught, adapter: Adapter | None, held_out: Floats) -> tuple[Calibration, tuple[float, float]]:
    """The calibration of all grades where it is better, and the losses of held-out grades, before and after."""
    graded, plain = taught.grades >= 0, calibrations.before(taught.n_grades)
    if not graded.any():
        return plain, (0.0, 0.0)
    losses = round(plain.loss(held_out[graded], taught.grades[graded]), 6), round(_loss(taught, held_out), 6)
    if losses[1] >= losses[0]:
        return plain, losses
    scores = _corrected(taught.rows, range(len(taught.rows.query_ids)), adapter)
    return calibrations.fit(scores[graded], taught.grades[graded], taught.n_grades), losses


def _loss(taught: Taught, held_out: Floats) -> float:
    """The mean loss of grades by calibrations that were fitted to other queries."""
    grades, folds, total = taught.grades, taught.rows.folds[taught.rows.query], 0.0
    for fold in range(FOLDS):
        inside, outside = (grades >= 0) & (folds == fold), (grades >= 0) & (folds != fold)
        if inside.any():
            fitted = calibrations.fit(held_out[outside], grades[outside], taught.n_grades)
            total += fitted.loss(held_out[inside], grades[inside]) * int(inside.sum())
    return total / int((grades >= 0).sum())


def _judges(workspace: Workspace, project: int) -> list[int]:
    """The Label Studio projects whose answers decide over those of this one."""
    settings = workspace.settings
    named = [name for name, one in settings.projects.items() if one.id == project]
    return [settings.projects[judge].id for name in named for judge in settings.judges(name)]


def _read(workspace: Workspace, projects: Sequence[int], rules: Rules) -> list[Judgment]:
    """The judgments of some projects under the present rules, and those that a mapping brings under them; without those
    of models.
    """
    from store.judgments import Table  # who only predicts does not wait for it

    declared, models = workspace.settings.mappings, workspace.settings.consensus.models
    under = {rules.hash, *declared}
    current = (j for project in projects for j in Table(workspace.judgments / str(project)).current())
    known = [j for j in current if j.rules_hash in under and j.annotator not in models]
    return mappings.bring(known, rules, declared, workspace.rules_of)[0]


def _pools(folder: Path, judgments: Sequence[Judgment], encoders: Mapping[str, str]) -> dict[str, Pool]:
    """The judged pools by pool_id, as far as their scores come from the present encoders."""
    judged, present = {j.pool_id for j in judgments}, set(encoders.values())
    return {
        pool.pool_id: pool
        for pool in pools.each(folder)
        if pool.pool_id in judged and present.issuperset(pool.encoder.split("+"))
    }


def _chosen(found: Sequence[Lesson]) -> list[Lesson]:
    queries = sorted({one.query_id for one in found}, key=lambda query_id: digest("learn", query_id))
    chosen = set(queries[:_MOST])
    return [one for one in found if one.query_id in chosen]


def _rows(found: Sequence[Lesson], views: Views) -> Rows:
    query_ids = sorted({one.query_id for one in found})
    place = {query_id: n for n, query_id in enumerate(query_ids)}
    return Rows(
        query_ids=tuple(query_ids),
        queries=np.array([views.query(query_id) for query_id in query_ids]),
        query=np.array([place[one.query_id] for one in found], dtype=np.int64),
        items=views.items([one.doc_id for one in found]),
        scores=np.array([one.score for one in found]),
        gains=np.array([one.gain for one in found]),
    )


def _known(shelf: Shelf, version: str) -> Learned | None:
    """The version as it was learned before; None where it was not, or is damaged."""
    try:
        return shelf.load(version)
    except Mendable:
        return None
