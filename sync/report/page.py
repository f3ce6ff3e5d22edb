"""The report as one HTML file: nothing is fetched, everything foreign is escaped."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sync.completeness.audit import STRATA
from sync.dataset import Dataset
from sync.evaluation import ENOUGH
from sync.gates import Gate
from sync.report import charts, hard, people
from sync.report.figures import Report

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may do with the page: nothing but show it."""
_ROWS = 50
"""Rows of a table that grows with the project; the JSON has all."""


def page(figures: Report, data: Dataset, gates: Sequence[Gate], label_studio: str = "") -> str:
    """The page. label_studio: where tasks are found, so that disagreements link to theirs; no links without it."""
    base = label_studio.rstrip("/") if label_studio.startswith(("http://", "https://")) else ""
    return (
        _environment()
        .get_template("report.html")
        .render(
            r=figures,
            rules=data.rules,
            gates=gates,
            policy=POLICY,
            most=_ROWS,
            enough=ENOUGH,
            strata=STRATA,
            plots=_plots(figures, data),
            pictures=_pictures(figures, data),
            words={"query": partial(people.query_said, data), "item": partial(people.item_said, data)},
            link=f"{base}/projects/{figures['project_id']}/data?task=" if base else "",
        )
    )


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("sync.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {"share": _share, "number": _number}
    found.filters |= {"marked": _marked, "quoted": lambda text: quote(str(text), safe="")}
    return found


def _plots(figures: Report, data: Dataset) -> Mapping[str, Markup | None]:
    return {name: draw(figures, data.rules) for name, draw in charts.CHARTS.items()}


def _pictures(figures: Report, data: Dataset) -> Mapping[str, str]:
    """Data URIs of what the gallery shows, by the ids of items and queries, each under a letter of its own."""
    shown = figures["confirmations"]
    named = {one["doc_id"] for one in (*shown, *figures["disagreements"])}
    items = {f"d{doc_id}": hard.picture(data, data.items[doc_id]) for doc_id in sorted(named)}
    asked = {f"q{one['query_id']}": hard.picture(data, data.queries[one["query_id"]]) for one in shown}
    return items | asked


def _marked(text: str) -> Markup:
    """A sentence in which what stands between backticks is code."""
    parts = (
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part) for n, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def _share(value: float | None, digits: int = 0) -> str:
    return "not measurable" if value is None else f"{value:.{digits}%}"


def _number(value: float | None, digits: int = 3) -> str:
    return "not measurable" if value is None else f"{value:.{digits}f}"
