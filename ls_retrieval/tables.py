"""Figures as tables for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from sync.report import Summary

if TYPE_CHECKING:
    from ml_backend.learning import Learned


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
    for one in figures["mapped"]:
        rows[f"of the rules {one['rules_hash']}"] = f"{one['judgments']} by a mapping, {one['left_out']} left out"
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def _number(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.0%}"
