"""Points in time, written one way, so that they can be compared as text."""

import re
from datetime import UTC, datetime, timedelta

from label_configs.errors import Mendable, quoted

TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
BEGINNING, END = "1970-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_MICROSECOND = timedelta(microseconds=1)


def stamp(time: datetime | str) -> str:
    """A time in UTC with all six digits of its fraction; one without a zone is in UTC. Raises ValueError."""
    if isinstance(time, str) and is_stamp(time):
        return time
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).strftime(TIME)
    except OverflowError as error:
        raise ValueError(f"{time} is no time") from error


def is_stamp(text: str) -> bool:
    """Whether a time is written as `stamp` writes it."""
    if not _WRITTEN.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def now() -> str:
    """The time of this machine's clock."""
    return stamp(datetime.now(UTC))


def after(time: str) -> str:
    """The next microsecond."""
    try:
        return (datetime.fromisoformat(time) + _MICROSECOND).strftime(TIME)
    except OverflowError:
        return time


def given(text: str) -> str:
    """A time as people give it: `2026-11-25`, which is its first moment, or `2026-11-25T14:30+01:00`."""
    try:
        return stamp(text.strip())
    except ValueError as error:
        raise Mendable(
            f"{quoted(text)} is no time.", mend="Write 2026-11-25, or 2026-11-25T14:30:00Z; without a zone it is UTC."
        ) from error
