"""Figures as tables for people."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from ls_retrieval.progress import terminal
from ls_retrieval.status import Status
from store import places
from sync import splits
from sync.bucket.layout import is_version
from sync.recheck import Precision
from sync.report import Summary

if TYPE_CHECKING:
    from ls_retrieval.simulation import Measured
    from ls_retrieval.syncing import Synced
    from ml_backend.learning import Learned
    from store.taking import Taken


def show(figures: Summary) -> None:
    """Print a summary: the project, then who answers hidden controls how, and every source."""
    console = terminal()
    console.print(overview(figures))
    if figures["gold"]:
        people = Table("annotator", "controls answered", "rightly", title="Who answers hidden controls how")
        for who, gold in figures["gold"].items():
            people.add_row(who, str(gold["answers"]), _share(gold["right"] / gold["answers"]))
        console.print(people)
    sources = Table("candidates from", "judged", "positive", "negative", title="What each source brought")
    for name, counts in figures["sources"].items():
        sources.add_row(name, str(counts["judged"]), str(counts["positive"]), str(counts["negative"]))
    console.print(sources)


def show_makeup(makeup: Mapping[tuple[str, str], int]) -> None:
    """Print what pools are made of: candidates by role and source."""
    table = Table("role", "from", "candidates", title="What the pools are made of")
    for (role, source), count in sorted(makeup.items()):
        table.add_row(role, source, str(count))
    terminal().print(table)


def show_status(found: Status) -> None:
    """Print where a project stands, who has worked on it, and what to do next."""
    console, tasks = terminal(), found["tasks"]
    table = Table(show_header=False, title="{project}: {form}, {query} to {candidates}, {mode}".format(**found))
    rows: dict[str, object] = {"project in Label Studio": found["id"]}
    rows |= {f"index of {name}": version for name, version in found["indexes"].items()} or {"index": "none"}
    rows |= {"queries": found["queries"], "of them with a pool": found["pools"]}
    if tasks:
        done = f"{tasks['answered']} answered, {tasks['complete']} of them as often as wanted ({found['votes']})"
        rows |= {
            "tasks": f"{tasks['pushed']}, and {tasks['bare']} without candidates",
            "of them under earlier rules": tasks["earlier"],
            "answers of annotators": f"{tasks['given']} of {tasks['wanted']} wanted",
            "tasks by state": f"{done}; {tasks['skipped']} skipped, {tasks['drafts']} begun",
        }
    else:
        rows["tasks"] = f"unknown: {found['unasked']}"
    rows["pulled"] = f"{found['answers']} answers, {found['judgments']} judgments; up to {found['pulled'] or 'nothing'}"
    for name, value in rows.items():
        table.add_row(name, str(value))
    console.print(table)
    if found["annotators"]:
        people = Table(
            "annotator", "answers", "judgments", "seconds a judgment", title="Who has worked on it, as pulled"
        )
        for name, one in found["annotators"].items():
            seconds = "not measured" if one["seconds"] is None else f"{one['seconds']:g}"
            people.add_row(name, str(one["answers"]), str(one["judgments"]), seconds)
        console.print(people)
    console.print(f"Next: {found['next']}", markup=False, soft_wrap=True)


def simulated(found: Mapping[str, "Measured"]) -> None:
    """Print what a simulation measured: every figure, its floor where it has one, and its range over the seeds."""
    table = Table("criterion", "figure", "mean", "least", "most", "wanted", "met")
    for name, one in found.items():
        for n, (figure, value) in enumerate(one["value"].items()):
            of = [seed[figure] for seed in one["seeds"]]
            first = (f"{name} {one['about']}", "yes" if one["met"] else "no") if n == 0 else ("", "")
            numbers = [f"{number:.4g}" for number in (value, min(of), max(of))]
            table.add_row(first[0], figure, *numbers, one["floor"].get(figure, ""), first[1])
    terminal().print(table)


def learned(found: "Learned | None") -> list[str]:
    """What learning came to, in sentences: from what, and for order and grades before, after and whether it is kept."""
    if found is None:
        return ["There is nothing to learn from: no judgment of the present rules and encoders."]
    about, order = found.about, found.about.ranking
    gain = f"{order.after - order.before:+.3f} [{order.low:+.3f}, {order.high:+.3f}]"
    ranked = f"nDCG@10 {order.before:.3f} → {order.after:.3f}, {gain}, 95 % over {order.queries} held-out queries"
    if not order.queries:
        ranked = "too few queries to prove a better one"
    said = {True: "kept", False: "not kept"}
    before, after = about.losses
    return [
        f"learned from {about.lessons} judged pairs of {about.queries} queries; "
        f"{about.untouched} untouched answers left out",
        f"order: {ranked}: {said[about.adapted]}",
        f"grades: log loss {before:.3f} → {after:.3f} of {about.graded} held-out grades: {said[about.calibrated]}",
    ]


def overview(figures: Summary) -> Table:
    """The figures of a project in two columns."""
    table = Table(show_header=False, title="Judgments")
    rows: dict[str, object] = {
        "queries": figures["queries"],
        "candidates": f"{figures['candidates']}, {_share(figures['coverage'])} of them judged",
        "judgments": f"{figures['judgments']} by {figures['annotators']} annotators",
        "agreement": f"Krippendorff's alpha {_number(figures['alpha'])} (ordinal)",
        "gold answered rightly": _share(figures["gold_accuracy"]),
        "pre-ranking": f"nDCG@10 {_number(figures['ndcg10'])}, judged@10 {_share(figures['judged10'])}",
        "mined hard negatives": f"{figures['mined']} judged: {figures['mined_negative']} confirmed, "
        f"{figures['mined_positive']} found positive",
    }
    bound = figures["false_negative_bound"]
    rows["items not shown"] = (
        "not audited" if bound is None else f"at most {bound:.1%} are relevant (95 %, by the audit)"
    )
    rows["kept from training"] = splits.told(figures["leaks"])
    if figures["unsure"]:
        rows["negatives left out"] = f"{figures['unsure']} that the consensus is less sure of than [export] confidence"
    for part, of in figures["precision"].items():
        rows[f"exported {part}"] = _precise(of)
    for one in figures["mapped"]:
        rows[f"of the rules {one['rules_hash']}"] = f"{one['judgments']} by a mapping, {one['left_out']} left out"
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def taken(done: "Taken", *, dry_run: bool) -> Iterator[str]:
    """What was taken, in lines."""
    verb = "would be taken" if dry_run else "taken"
    for name in done.copied:
        yield f"{name} {verb}: there was none"
    counts = ", ".join(f"{count} of grade {grade}" for grade, count in sorted(done.grades.items(), reverse=True))
    yield f"{sum(done.grades.values())} pairs {verb}: {counts}; {len(done.left_out)} left out"
    yield f"{done.positives} known positives of {done.queries} queries"


def synced(done: "Synced", to: str, *, dry_run: bool, as_of: str = "") -> Iterator[str]:
    """What a sync did, in lines; a dry run names every file that would differ. as_of: the state that was asked for."""
    published, verb = done.published, "would be written" if dry_run else "written"
    if dry_run:
        for sign, names in zip("+~-", published.difference, strict=True):
            yield from (f"{sign} {name}" for name in names)
    if done.pruned is not None:
        gone = "would be taken away" if dry_run else "taken away"
        yield f"{done.pruned.versions} versions and {done.pruned.objects} objects ({done.pruned.bytes} bytes) {gone}"
    yield f"kept from training: {splits.told(done.leaks)}"
    yield f"version {published.version} in {places.named(to)}: {published.written} bytes {verb}"
    if is_version(as_of) and as_of != published.version:
        yield f"not {as_of}: something was forgotten, or corpus, rules, settings or the tool have changed since"


def plain(value: object) -> object:
    """A result as JSON takes it: records become objects."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(one) for name, one in value._asdict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _precise(of: Precision) -> str:
    """How often a sample that was judged again is right."""
    found = of["precision"]
    waiting = f"; {of['waiting']} not judged yet" if of["waiting"] else ""
    if found is None:
        return "not judged again yet"
    return f"{of['right']} of {of['judged']} right: {found.low:.1%} to {found.high:.1%} (95 %){waiting}"


def _number(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.0%}"
