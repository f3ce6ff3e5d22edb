"""Gold and qualifications as tables for people."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from ls_retrieval.progress import terminal
from ls_retrieval.quality import Measured
from sync.qualification import Qualification


def show_measured(found: Measured, *, dry_run: bool) -> None:
    """Print how much gold there is, then every annotator, domain by domain where there are several."""
    console = terminal()
    origins = Counter(gold.origin for gold in found.gold)
    of_grades = Counter(gold.grade for gold in found.gold)
    console.print(
        f"gold.tsv: {len(found.gold)} pairs ({_counts(origins)}; grades {_counts(of_grades)}); "
        f"{len(found.promoted)} {'would be ' if dry_run else ''}new"
    )
    table = Table("annotator", "domain", "gold", "accuracy", "95 %", "odds careless", "seconds", "untouched", "flags")
    for name, one in found.annotators.items():
        seconds = "" if one["seconds"] is None else f"{one['seconds']:g}"
        told = (_odds(one["careless"]), seconds, f"{one['untouched']:.0%}", ", ".join(one["flags"]))
        table.add_row(name, "all", str(one["answers"]), _share(one["accuracy"]), _interval(one), *told)
        for domain, of in one["domains"].items() if len(one["domains"]) > 1 else ():
            table.add_row("", domain or "none", str(of["answers"]), _share(of["accuracy"]), _interval(of))
    console.print(table)


def show_qualification(found: Qualification, *, dry_run: bool) -> None:
    """Print who passed."""
    console = terminal()
    verb = "would have" if dry_run else "has"
    console.print(f"{found['project']} {verb} {found['tasks']} tasks; {found['pass_mark']:.0%} have to be right")
    table = Table("annotator", "answers", "right", "accuracy", "95 %", "")
    for name, one in found["annotators"].items():
        answers = f"{one['answers']} of {one['of']}"
        table.add_row(name, answers, str(one["right"]), _share(one["accuracy"]), _interval(one), one["state"])
    if found["annotators"]:
        console.print(table)


def _counts(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items())) or "none"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _interval(one: Mapping[str, Any]) -> str:
    return f"{one['low']:.0%} to {one['high']:.0%}" if one["answers"] else ""


def _odds(log10: float) -> str:
    return f"1 : 10^{-log10:.0f}" if log10 < 0 else f"10^{log10:.0f} : 1"
