"""Which plot shows which figures; None where there is nothing to plot."""

import math
from collections.abc import Callable, Mapping

from markupsafe import Markup

from label_configs.rules import Rules
from sync.completeness.audit import STRATA
from sync.completeness.bounds import upper
from sync.report import plots
from sync.report.figures import Report
from sync.report.plots import Bar, Dot

_SLICES = 9
WARN = 0.667
"""Alpha below which agreement is doubtful (Krippendorff)."""


def grades(r: Report, rules: Rules) -> Markup | None:
    """How often each grade was given, and what it came to."""
    rows = []
    for grade in rules.grades:
        given, pairs = r["votes"][str(grade.value)], r["grades"][str(grade.value)]
        parts = [(f"g{_tone(grade.value, rules)}", float(pairs), f"pairs of grade {grade.value}")]
        rows.append(Bar(f"{grade.value} {grade.label}", parts, f"{pairs} pairs · {given} votes"))
    return plots.bars(rows, "Pairs by grade") if r["judged"] else None


def together(r: Report, rules: Rules) -> Markup | None:
    """How often two votes on a pair were which."""
    labels = [str(value) for value in rules.values]
    some = any(any(row) for row in r["together"])
    return plots.heat(r["together"], labels, "How often one annotator said this and another that") if some else None


def agreement(r: Report, rules: Rules) -> Markup | None:
    """Ordinal alpha with its interval, overall and by what pairs differ in."""
    found = r["agreement"]
    ways = {way: of for way, of in found.slices.items() if len(of) > 1}
    slices = [(f"{way}: {name}", one) for way, of in ways.items() for name, one in of.items()]
    slices = sorted(slices, key=lambda named: (-named[1].pairs, named[0]))[:_SLICES]
    rows = [Dot(name, one.value, one.low, one.high, f"{one.pairs:,}") for name, one in slices]
    if found.ordinal is None:
        return None
    whole = Dot("all", *found.ordinal[:3], f"{found.ordinal.pairs:,}")
    low = min(0.0, *(math.floor(4 * dot.low) / 4 for dot in (whole, *rows)))
    return plots.dots([whole, *rows], "Krippendorff's alpha", low, 1.0, WARN)


def progress(r: Report, rules: Rules) -> Markup | None:
    """Grades up to each day, against those wanted."""
    days, wanted = list(r["progress"]["days"].items()), r["progress"]["wanted"]
    return plots.curve([(day, float(n)) for day, n in days], float(wanted), "Grades given") if len(days) > 1 else None


def position(r: Report, rules: Rules) -> Markup | None:
    """Mean answer by place, and the line that the slope means."""
    found = r["effects"]["position"]
    if not found:
        return None
    points = [
        Dot(str(p["place"]), p["mean"], p["low"], p["high"], f"{p['answers']} answers, {p['mean']:+.3f}")
        for p in found["places"]
    ]
    return plots.places(points, found["slope"], found["middle"], "Mean grade by place on the screen")


def pace(r: Report, rules: Rules) -> Markup | None:
    """Seconds a judgment, median and quartiles."""
    found = r["effects"]["pace"]
    rows = [
        Dot(f"{one['form']}, {'assisted' if one['assisted'] else 'blind'}", one["median"], one["low"], one["high"],
            f"{one['median']:g} s")
        for one in found
    ]  # fmt: skip
    return plots.dots(rows, "Seconds a judgment", 0, max(one["high"] for one in found) * 1.2) if found else None


def sources(r: Report, rules: Rules) -> Markup | None:
    """What each source brought: positive, neither, negative."""
    rows = []
    for name, one in r["sources"].items():
        neither = one["judged"] - one["positive"] - one["negative"]
        parts = [
            ("good", float(one["positive"]), "positive"),
            ("neither", float(neither), "neither"),
            ("bad", float(one["negative"]), "negative"),
        ]
        rows.append(Bar(_named(name), parts, f"{one['positive']} of {one['judged']}"))
    return plots.bars(rows, "Judged candidates by role and source") if rows else None


def proposers(r: Report, rules: Rules) -> Markup | None:
    """Relevant items of each proposer, and those that it alone brought."""
    rows = [
        Bar(
            name,
            [
                ("c1", float(one["unique"]), "brought by it alone"),
                ("c2", float(one["relevant"] - one["unique"]), "by others too"),
            ],
            f"{one['relevant']}, {one['unique']} alone",
        )
        for name, one in r["proposers"].items()
    ]
    return plots.bars(rows, "Relevant items by proposer") if rows else None


def coverage(r: Report, rules: Rules) -> Markup | None:
    """Queries by the share of their candidates that is judged."""
    tenths = [min(int(10 * share), 10) for share in r["coverage_of"].values()]
    values = [(f"{10 * n} %", float(tenths.count(n))) for n in range(11)]
    return plots.columns(values, "Queries by judged share of their pool") if tenths else None


def ranks(r: Report, rules: Rules) -> Markup | None:
    """How deep in the pre-ranking relevant items are."""
    inside = {rank: count for rank, count in r["ranks"].items() if rank}
    if not inside:
        return None
    points, total = [], 0
    for rank in range(1, max(inside) + 1):
        total += inside.get(rank, 0)
        points.append((f"rank {rank}", float(total)))
    return plots.curve(points, float(sum(r["ranks"].values())), "Relevant items up to each rank of the pre-ranking")


def missed(r: Report, rules: Rules) -> Markup | None:
    """Share of relevant items in each stratum of the audit."""
    rows = [
        Dot(STRATA[one["name"]], one["found"] / one["drawn"], 0.0, upper(one["found"], one["drawn"]),
            f"{one['found']} of {one['drawn']}")
        for one in r["missed"]["strata"]
    ]  # fmt: skip
    return plots.dots(rows, "Share of relevant items among what was drawn", 0, _edge(rows)) if rows else None


def why(r: Report, rules: Rules) -> Markup | None:
    """How often near misses and other pairs have each reason."""
    rows = []
    for one in r["why"]:
        here = one["near"] / one["near_of"] if one["near_of"] else 0.0
        lift = "" if one["lift"] is None else f"× {one['lift']:g}"
        sure = f", p {one['p']:.2g}" if one["p"] < 0.05 else ""
        rows.append(Bar(one["code"], [("c3" if one["p"] < 0.05 else "c2", round(here, 3), "of near misses")],
                        f"{one['near']} {lift}{sure}"))  # fmt: skip
    return plots.bars(rows, "Reasons among near misses") if rows else None


def _named(name: str) -> str:
    """A role and a source in words; the role alone where the source says the same again."""
    role, _, source = name.partition(":")
    return source if source.startswith(role) else f"{role.replace('_', ' ')} {source}"


def _edge(rows: list[Dot]) -> float:
    """A round number above every bound."""
    most = max(row.high for row in rows)
    return next(edge for edge in (0.05, 0.1, 0.2, 0.4, 1.0) if most <= edge)


def _tone(value: int, rules: Rules) -> int:
    """From 0 for the lowest grade to 3 for the highest."""
    return round(3 * rules.values.index(value) / (len(rules.values) - 1))


CHARTS: Mapping[str, Callable[[Report, Rules], Markup | None]] = {
    "grades": grades,
    "together": together,
    "agreement": agreement,
    "progress": progress,
    "position": position,
    "pace": pace,
    "sources": sources,
    "proposers": proposers,
    "coverage": coverage,
    "ranks": ranks,
    "missed": missed,
    "why": why,
}
"""Name in the page to its plot."""
