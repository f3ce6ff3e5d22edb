"""Progress of long work: a live bar on a terminal, lines in a log, and the time that it took."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
Advance = Callable[[int], None]

err = Console(stderr=True, highlight=False)
_QUIET = 5.0
"""Seconds between two lines of progress in a log."""


@contextmanager
def bar(doing: str, total: int | None = None) -> Iterator[Advance]:
    """Progress while the block runs; the callable that it gives is told how many steps were done."""
    begun = time.monotonic()
    with _live(doing, total) if err.is_terminal else _lines(doing, total) as advance:
        yield advance
    err.print(f"{doing}: {time.monotonic() - begun:.1f} s")


@contextmanager
def _live(doing: str, total: int | None) -> Iterator[Advance]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda done: progress.advance(task, done)


@contextmanager
def _lines(doing: str, total: int | None) -> Iterator[Advance]:
    """For logs: a line when work begins, and one every few seconds."""
    err.print(f"{doing} …")
    done, told = 0, time.monotonic()

    def advance(steps: int) -> None:
        nonlocal done, told
        done += steps
        if time.monotonic() - told >= _QUIET:
            told = time.monotonic()
            err.print(f"{doing}: {done}" + (f" of {total}" if total else ""))

    yield advance


def track(sequence: Iterable[T], description: str) -> Iterator[T]:
    """The elements of a sequence, with a bar."""
    known: Sequence[T] = list(sequence)
    with bar(description, len(known)) as advance:
        for element in known:
            yield element
            advance(1)


def say(message: str) -> None:
    """A line for people, beside the output that programs read."""
    err.print(message, markup=False)
