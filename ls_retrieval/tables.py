"""Figures as tables for people."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sync.report import Summary

if TYPE_CHECKING:
    from ls_retrieval.syncing import Synced
    from store.taking import Taken


def show(figures: Summary) -> None:
    """Print a summary: the project, then every source."""
    console = Console(highlight=False)
    console.print(overview(figures))
    sources = Table("candidates from", "judged", "positive", "negative", title="What each source brought")
    for name, counts in figures["sources"].items():
        sources.add_row(name, str(counts["judged"]), str(counts["positive"]), str(counts["negative"]))
    console.print(sources)


def show_makeup(makeup: Mapping[tuple[str, str], int]) -> None:
    """Print what pools are made of: candidates by role and source."""
    table = Table("role", "from", "candidates", title="What the pools are made of")
    for (role, source), count in sorted(makeup.items()):
        table.add_row(role, source, str(count))
    Console(highlight=False).print(table)


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


def synced(done: "Synced", to: str, *, dry_run: bool) -> Iterator[str]:
    """What a sync did, in lines; a dry run names every file that would differ."""
    published, verb = done.published, "would be written" if dry_run else "written"
    if dry_run:
        for sign, names in zip("+~-", published.difference, strict=True):
            yield from (f"{sign} {name}" for name in names)
    if done.pruned is not None:
        gone = "would be taken away" if dry_run else "taken away"
        yield f"{done.pruned.versions} versions and {done.pruned.objects} objects ({done.pruned.bytes} bytes) {gone}"
    yield f"version {published.version} in {to}: {published.written} bytes {verb}"


def plain(value: object) -> object:
    """A result as JSON takes it: records become objects."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(one) for name, one in value._asdict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _number(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.0%}"
