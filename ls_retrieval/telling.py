"""What goes on for days says what fails once, and goes on."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from label_configs.errors import Mendable


class Teller:
    """Tells on standard error of what fails, each thing once, until it is mended or fails for another reason."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

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
            why = f" {error}" if isinstance(error, Mendable) else f"\n{traceback.format_exc()}"
            if self._said.get(what) != why:
                self._said[what] = why
                print(f"{what}:{why}", file=sys.stderr, flush=True)
        else:
            self._said.pop(what, None)
