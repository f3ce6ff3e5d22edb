"""Keys that can be guessed: a candidate is a column of the keyboard, a grade is a row of it."""

from collections.abc import Sequence

ROWS = ("1234567890", "qwertyuiop", "asdfghjkl;", "zxcvbnm,./")
"""The keyboard from its top row; a column a candidate, so that there are at most ten on a screen."""
COLUMNS = len(ROWS[0])
_TAKEN = frozenset("rhlmdef")  # with Alt: Label Studio's own keys and the browser's menus


def grade(row: int, column: int) -> str:
    """The key of a grade (0 is the best) for a candidate; past the fourth row Shift begins again below the digits."""
    if row < len(ROWS):
        return ROWS[row][column]
    return "shift+" + ROWS[1 + (row - len(ROWS)) % (len(ROWS) - 1)][column]


def doubt(column: int) -> str:
    """The key of "can't judge" for a candidate: Shift with its digit."""
    return "shift+" + ROWS[0][column]


def span(row: int, columns: int) -> str:
    """The keys of a grade for so many candidates, as a person would say them: `q to i`."""
    first, last = grade(row, 0), grade(row, columns - 1)
    return first if columns == 1 else f"{first} to {last}"


def mnemonics(words: Sequence[str]) -> list[str]:
    """Alt with a letter of each word, the first one that is free."""
    given: list[str] = []
    for word in words:
        letters = [f"alt+{c}" for c in f"{word.lower()}abcdefghijklmnopqrstuvwxyz" if c.isascii() and c.isalpha()]
        given.append(next(key for key in letters if key[-1] not in _TAKEN and key not in given))
    return given
