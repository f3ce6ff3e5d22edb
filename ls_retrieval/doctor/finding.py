"""What a check finds, and how it says so."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from label_configs.errors import Mendable

Level = Literal["ok", "warn", "FAIL"]
_SHOWN = 10


class Finding(NamedTuple):
    """One thing that was looked at. warn: it works, but not as it might; FAIL: it does not. topic: the check."""

    level: Level
    what: str
    mend: str = ""
    topic: str = ""


def ok(what: str) -> Finding:
    """All is well."""
    return Finding("ok", what)


def warn(what: str, mend: str, problems: Sequence[str] = ()) -> Finding:
    """It goes on, but somebody should look at it."""
    return Finding("warn", _listed(what, problems), mend)


def fail(what: str, mend: str, problems: Sequence[str] = ()) -> Finding:
    """Something does not work."""
    return Finding("FAIL", _listed(what, problems), mend)


def run(topic: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check; where it ends with an error that can be mended, that is the last of them."""
    try:
        for finding in check():
            yield finding._replace(topic=topic)
    except Mendable as error:
        what = f"{error.what} {error.why}".strip()
        yield fail(what, error.mend, error.problems)._replace(topic=topic)


def _listed(what: str, problems: Sequence[str]) -> str:
    return "\n      ".join([what, *problems[:_SHOWN]])
