"""Progress of long work: a live bar on a terminal, and a line at its end anywhere."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
Advance = Callable[[int], None]

err = Console(stderr=True, highlight=False)


@contextmanager
def bar(doing: str, total: int | None = None) -> Iterator[Advance]:
    """A bar while the block runs; the callable that it gives is told how many steps were done."""
    begun = time.monotonic()
    if not err.is_terminal:
        err.print(f"{doing} …")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda done: progress.advance(task, done)
    err.print(f"{doing}: {time.monotonic() - begun:.1f} s")


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
