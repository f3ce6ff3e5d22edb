"""What goes on for days says what fails once, and goes on."""

import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from label_configs.errors import mendable
from ls_retrieval.progress import say

_NAMED = 1000
"""So many problems are named at most."""


class Teller:
    """Tells on standard error of what fails, each thing once, until it is mended or fails for another reason."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._named: set[str] = set()
        self._over = threading.Event()

    def until(self, over: threading.Event) -> None:
        """Say nothing of what fails once that is set: it fails because all is being stopped."""
        self._over = over

    def name(self, problems: Iterable[str]) -> None:
        """Name answers that cannot be read, each once."""
        for problem in problems:
            if problem not in self._named and len(self._named) < _NAMED:
                self._named.add(problem)
                say(f"unreadable: {problem}")

    @contextmanager
    def telling(self, what: str, but: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        """Go on whatever happens: what can be mended is said in a sentence, a defect with its traceback.

        but: what goes on upwards, since it would happen to all that follows.
        """
        try:
            yield
        except but:
            raise
        except Exception as error:
            told = mendable(error)
            why = f" {told}" if told else f"\n{traceback.format_exc()}"
            if self._said.get(what) != why and not self._over.is_set():
                self._said[what] = why
                print(f"{what}:{why}", file=sys.stderr, flush=True)
        else:
            self._said.pop(what, None)
