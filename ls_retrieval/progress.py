"""Progress of long work: a live bar on a terminal, lines in a log, and the time that it took.

A log hears nothing of what takes no time: cron mails whatever a command says.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

T = TypeVar("T")
Advance = Callable[[int], None]


def terminal(*, stderr: bool = False) -> Console:
    """A console that shows every text as it is: what others wrote between brackets or colons means nothing to it."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


err = terminal(stderr=True)
_QUIET = 5.0
"""Seconds between two lines of progress in a log, and before the first."""


@contextmanager
def bar(doing: str, total: int | None = None) -> Iterator[Advance]:
    """Progress while the block runs; the callable that it gives is told how many steps were done."""
    begun = time.monotonic()
    with _live(doing, total) if err.is_terminal else _lines(doing, total) as advance:
        yield advance
    passed = time.monotonic() - begun
    if err.is_terminal or passed >= _QUIET:
        err.print(f"{doing}: {passed:.1f} s")


@contextmanager
def _live(doing: str, total: int | None) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda done: progress.advance(task, done)


class _Rate(ProgressColumn):
    """Steps a second, of late."""

    def render(self, task: Task) -> Text:
        """The column's text."""
        return Text(rate(task.speed) if task.speed else "")


@contextmanager
def _lines(doing: str, total: int | None) -> Iterator[Advance]:
    """For logs: a line every few seconds, with the rate since the last; nothing of short work."""
    done, told_done, told = 0, 0, time.monotonic()

    def advance(steps: int) -> None:
        nonlocal done, told_done, told
        done += steps
        passed = time.monotonic() - told
        if passed >= _QUIET:
            err.print(f"{doing}: {told_of(done, total, (done - told_done) / passed)}")
            told_done, told = done, time.monotonic()

    yield advance


def told_of(done: int, total: int | None, speed: float) -> str:
    """How far work is: `320 of 1060, 12.5/s, 1 min left`."""
    parts = [f"{done} of {total}" if total else f"{done}", rate(speed)]
    if total and total > done and speed > 0:
        parts.append(f"{duration((total - done) / speed)} left")
    return ", ".join(parts)


def rate(speed: float) -> str:
    """Steps a second; slow work by the minute."""
    return f"{speed:.0f}/s" if speed >= 10 else f"{speed:.1f}/s" if speed >= 1 else f"{speed * 60:.1f}/min"


def duration(seconds: float) -> str:
    """A time in the unit that people would use."""
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def track(sequence: Iterable[T], description: str) -> Iterator[T]:
    """The elements of a sequence, with a bar."""
    known: Sequence[T] = list(sequence)
    with bar(description, len(known)) as advance:
        for element in known:
            yield element
            advance(1)


def say(message: str) -> None:
    """A line for people, beside the output that programs read."""
    err.print(message, markup=False, soft_wrap=True)
