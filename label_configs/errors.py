"""The errors that a user can mend. Only the command line and the HTTP edge print them."""

import errno
from collections.abc import Sequence
from reprlib import Repr

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_BRIEF = Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother = 4, 80, 80


def quoted(value: object) -> str:
    """A foreign value as it is written in a message: no longer and no deeper than a person reads."""
    return _BRIEF.repr(value)


class Mendable(Exception):
    """Something that the user can put right.

    what: one sentence on what is wrong. why: its cause, where it is not plain. mend: what to do about it.
    problems: all the places in one input, so that they can be mended in one go.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", mend: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what, self.why, self.mend, self.problems = what, why, mend, tuple(problems)

    @property
    def line(self) -> str:
        """What and mend on one line, for lists."""
        return f"{self.what} {self.mend}".strip()

    def __str__(self) -> str:
        lines = [self.what, *(f"  - {problem}" for problem in self.problems)]
        lines += [f"Why: {self.why}"] if self.why else []
        lines += [f"Mend: {self.mend}"] if self.mend else []
        return "\n".join(lines)


class Unreadable(Mendable):
    """A file or an answer that cannot be read as what it should be."""


class GateFailed(Mendable):
    """A quality gate that the data does not pass: nothing is published."""

    exit_code = 3


class PartlyDone(Mendable):
    """Something of many could not be reached or read; all the rest is done."""

    exit_code = 4


def mendable(error: BaseException) -> Mendable | None:
    """What a user can put right about an error, a full or forbidden disk among it; None for a defect of ours."""
    if isinstance(error, Mendable):
        return error
    if isinstance(error, OSError) and error.errno in _DISK:
        place = f"{error.filename}: " if error.filename else ""
        mend = "Make room there, raise its limit, or allow writing, and run it again."
        return Mendable(f"{place}{error.strerror}.", mend=mend)
    return None
