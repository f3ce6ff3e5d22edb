"""Plots as inline SVG, drawn by hand: colours are the page's, so that they follow light, dark and paper.

All are WIDTH wide and as high as they need; text that comes from data is escaped.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

WIDTH = 640
_LABEL = 216
_ROW = 26
_RIGHT = 74
_CHARS = 27


class Bar(NamedTuple):
    """A row of a bar chart: parts as (colour class, value, what it is), and a note at its end."""

    label: str
    parts: Sequence[tuple[str, float, str]]
    note: str = ""


class Dot(NamedTuple):
    """A row of a dot plot: a value with its interval."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""


def bars(rows: Sequence[Bar], title: str) -> Markup:
    """Stacked bars, one below the other, on a scale from 0 to the longest."""
    longest = max((sum(value for _, value, _ in row.parts) for row in rows), default=0) or 1
    right = max(_RIGHT, *(16 + 6.4 * len(row.note) for row in rows))
    scale = (WIDTH - _LABEL - right) / longest
    body = [line for n, row in enumerate(rows) for line in _bar(row, n * _ROW, scale)]
    return _svg(body, len(rows) * _ROW + 4, title)


def dots(rows: Sequence[Dot], title: str, low: float, high: float, mark: float | None = None) -> Markup:
    """Values with intervals on a scale from low to high; a mark is a line across all rows."""
    span = (high - low) or 1.0
    height = len(rows) * _ROW + 22

    def x(value: float) -> float:
        return _LABEL + (min(max(value, low), high) - low) / span * (WIDTH - _LABEL - _RIGHT)

    body = list(_ticks(low, high, x(low), x(high), height))
    if mark is not None:
        body.append(f'<line class="mark" x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="0" y2="{height - 20}"/>')
    for n, row in enumerate(rows):
        y = n * _ROW + _ROW / 2
        body += [
            _label(row.label, y),
            f'<line class="whisker" x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y}" y2="{y}"/>',
            f'<circle class="dot" cx="{x(row.value):.1f}" cy="{y}" r="5"/>',
            _note(row.note, WIDTH - _RIGHT + 8, y),
        ]
    return _svg(body, height, title)


def columns(values: Sequence[tuple[str, float]], title: str, height: int = 150, every: int = 1) -> Markup:
    """Upright bars over a baseline, with a label below every so many."""
    most = max((value for _, value in values), default=0) or 1
    step = WIDTH / max(len(values), 1)
    body = []
    for n, (label, value) in enumerate(values):
        tall, left = value / most * (height - 44), n * step
        body.append(
            f'<rect class="c1" x="{left + step * 0.12:.1f}" width="{step * 0.76:.1f}" y="{height - 22 - tall:.1f}" '
            f'height="{tall:.1f}" rx="2"><title>{escape(label)}: {value:g}</title></rect>'
        )
        middle = left + step / 2
        if step > 30 and value:
            body.append(f'<text class="end" x="{middle:.1f}" y="{height - 28 - tall:.1f}">{value:g}</text>')
        if n % every == 0:
            body.append(f'<text class="tick" x="{middle:.1f}" y="{height - 6}">{escape(label)}</text>')
    body.append(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{height - 22}" y2="{height - 22}"/>')
    return _svg(body, height, title)


def places(points: Sequence[Dot], slope: float, middle: float, title: str, height: int = 200) -> Markup:
    """Values with upright intervals from left to right, and a line of this slope through 0 at the middle."""
    reach = max((max(abs(p.low), abs(p.high)) for p in points), default=0) * 1.1 or 1.0
    step, inner = (WIDTH - 50) / max(len(points), 1), height - 34

    def y(value: float) -> float:
        return 6 + (reach - max(min(value, reach), -reach)) / (2 * reach) * inner

    body = [f'<line class="axis" x1="44" x2="{WIDTH}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>']
    for value in (-reach / 1.1, 0.0, reach / 1.1):
        body.append(f'<text class="scale" x="38" y="{y(value) + 4:.1f}">{value:+.2f}</text>')
    ends = [(44 + step * (n + 0.5), y(slope * (float(points[n].label) - middle))) for n in (0, len(points) - 1)]
    body.append('<polyline class="trend" points="{}"/>'.format(" ".join(f"{a:.1f},{b:.1f}" for a, b in ends)))
    for n, point in enumerate(points):
        x = 44 + step * (n + 0.5)
        body += [
            f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{y(point.low):.1f}" y2="{y(point.high):.1f}"/>',
            f'<circle class="dot" cx="{x:.1f}" cy="{y(point.value):.1f}" r="5"><title>{escape(point.note)}</title>'
            "</circle>",
            f'<text class="tick" x="{x:.1f}" y="{height - 6}">{int(float(point.label)) + 1}</text>',
        ]
    return _svg(body, height, title)


def heat(cells: Sequence[Sequence[float]], labels: Sequence[str], title: str) -> Markup:
    """A square of counts, darker for more; what is outside of the diagonal is disagreement."""
    most = max((value for row in cells for value in row), default=0) or 1
    side = 54
    body = []
    for r, row in enumerate(cells):
        body.append(f'<text class="scale" x="26" y="{r * side + side / 2 + 4}">{escape(labels[r])}</text>')
        body.append(
            f'<text class="tick" x="{34 + r * side + side / 2}" y="{len(cells) * side + 16}">{escape(labels[r])}</text>'
        )
        for c, value in enumerate(row):
            shade = 0.06 + 0.94 * (value / most) ** 0.5
            left, kind = 34 + c * side, "c1" if r == c else "c3"
            body.append(
                f'<rect class="{kind}" opacity="{shade:.2f}" x="{left + 1}" y="{r * side + 1}" width="{side - 2}" '
                f'height="{side - 2}" rx="4"/>'
            )
            ink = "on" if shade > 0.5 else "end"
            middle = left + side / 2
            body.append(f'<text class="{ink} mid" x="{middle}" y="{r * side + side / 2 + 4}">{value:.0f}</text>')
    return _svg(body, len(cells) * side + 24, title, 40 + len(cells) * side)


def curve(points: Sequence[tuple[str, float]], whole: float, title: str, height: int = 150) -> Markup:
    """Something that grows towards a whole."""
    top, step = max(whole, *(value for _, value in points)) or 1.0, (WIDTH - 70) / max(len(points) - 1, 1)
    at = [(10 + n * step, height - 24 - value / top * (height - 44)) for n, (_, value) in enumerate(points)]
    goal = height - 24 - whole / top * (height - 44)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    body = [
        f'<line class="mark" x1="10" x2="{WIDTH - 60}" y1="{goal:.1f}" y2="{goal:.1f}"/>',
        f'<text class="note" x="{WIDTH - 54}" y="{goal + 4:.1f}">{whole:g}</text>',
        f'<polygon class="area" points="10,{height - 24} {line} {at[-1][0]:.1f},{height - 24}"/>',
        f'<polyline class="trend" points="{line}"/>',
        *(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in (at if len(at) < 40 else at[-1:])),
        f'<line class="axis" x1="10" x2="{WIDTH - 60}" y1="{height - 24}" y2="{height - 24}"/>',
        f'<text class="note" x="10" y="{height - 6}">{escape(points[0][0])}</text>',
        f'<text class="scale" x="{WIDTH - 60}" y="{height - 6}">{escape(points[-1][0])}</text>',
    ]
    return _svg(body, height, title)


def _bar(row: Bar, top: float, scale: float) -> Iterator[str]:
    yield _label(row.label, top + _ROW / 2)
    left = float(_LABEL)
    for kind, value, said in row.parts:
        if value:
            yield (
                f'<rect class="{escape(kind)}" x="{left:.1f}" y="{top + 4:.1f}" width="{max(value * scale, 1):.1f}" '
                f'height="{_ROW - 8}" rx="2"><title>{escape(said)}: {value:g}</title></rect>'
            )
        left += value * scale
    yield _note(row.note, left + 8, top + _ROW / 2)


def _ticks(low: float, high: float, left: float, right: float, height: float) -> Iterator[str]:
    for n in range(5):
        x = left + (right - left) * n / 4
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 20:.1f}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{height - 6:.1f}">{low + (high - low) * n / 4:.3g}</text>'


def _label(text: str, y: float) -> str:
    shown = text if len(text) <= _CHARS else text[: _CHARS - 1] + "…"
    return f'<text class="label" x="{_LABEL - 10}" y="{y + 4:.1f}">{escape(shown)}<title>{escape(text)}</title></text>'


def _note(text: str, x: float, y: float) -> str:
    return f'<text class="note" x="{x:.1f}" y="{y + 4:.1f}">{escape(text)}</text>'


def _svg(body: Sequence[str], height: float, title: str, width: float = WIDTH) -> Markup:
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
    return Markup(head + "".join(body) + "</svg>")  # noqa: S704 - every text in it was escaped above
