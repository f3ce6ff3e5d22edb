"""A JSON array of any size, read in stretches of whole elements; or JSON lines.

An array has no marks at which it can be cut: what looks like the space between two elements may stand inside a string
or deeper down. So a cut is guessed from the back, where the next element seems to begin as the first one did, and what
lies before it is given to a JSON parser as an array of its own. That is valid only where the cut is true: the parser
reads the same bytes in the same state as it would in the whole file, and has to end between two elements. Where no
guess holds, strings and brackets are counted from the last true cut on.

`stretches` guesses all cuts ahead, so that several can read at once. The first is true if what lies before it parses,
and so on: whoever reads them has to do so from the first on, and from where one does not parse go on with `read`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from label_configs.errors import Unreadable

STRETCH = 1_000_000
"""Bytes that are read at a time."""
LIMIT = 256_000_000
"""Bytes of one element; a longer one is not read."""
_GUESSES, _NEAR = 4, 65_536
AHEAD = 130_000
"""Bytes between cuts that are guessed ahead: as many as a processor keeps at hand."""
_WIDE = 16_000_000
"""Bytes between cuts where elements are long."""
_BROKEN = (msgspec.MsgspecError, RecursionError, UnicodeError)
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
_FIRST = re.compile(rb'\[\s*\{\s*"((?:[^"\\]|\\.)*)"\s*:[^,{\[]*,\s*"((?:[^"\\]|\\.)*)"\s*:', re.DOTALL)
_COMMA, _CLOSE = b",]"
_ARRAY: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_RAW: msgspec.json.Decoder[msgspec.Raw] = msgspec.json.Decoder(msgspec.Raw)


class Stretch(NamedTuple):
    """Bytes of a file between two cuts, from `start` to before `end`. lines: they are lines, not a part of an array."""

    start: int
    end: int
    lines: bool

    def content(self, file: BinaryIO) -> bytearray:
        """The lines, or the elements as an array; the last stretch closes it itself, if the file does."""
        found = bytearray(self.end - self.start + 2)
        file.seek(self.start)
        length = 1 + file.readinto(memoryview(found)[1:])  # type: ignore[attr-defined]
        del found[length:]
        if self.lines:
            del found[:1]
            return found
        found[:1] = b"["
        if length == self.end - self.start + 2:
            found[-1:] = b"]"
        return found


def stretches(path: Path) -> Iterator[Stretch]:
    """Stretches that may be cut out of a file, from its first element on, up to where no cut can be guessed."""
    with path.open("rb") as file:
        lines = _begin(file) == b"{"
        start, size = file.tell(), path.stat().st_size
        guess = re.compile(rb"\n") if lines else _signature(b"[" + file.read(_NEAR))
        while guess and start < size:
            end, ahead = 0, AHEAD
            while not end and size - start > ahead and ahead <= _WIDE:
                end, ahead = _ahead(file, start, guess, ahead), ahead * 8
            if not end and size - start > ahead:
                return
            end = end or size
            yield Stretch(start, end, lines)
            start = end + 1


def read(path: Path, *, stretch: int = STRETCH, start: int = 0) -> Iterator[list[msgspec.Raw]]:
    """The elements of an array, or the lines of a file that begins with `{`, some at a time, each still JSON.

    start: where to begin, behind a cut. Raises Unreadable for what is neither, where it stops to be so: after all that
    came before.
    """
    try:
        with path.open("rb") as file:
            begin = _begin(file)
            if begin not in (b"[", b"{"):
                raise ValueError("it begins with neither [ nor {")
            bare = start <= file.tell()
            file.seek(max(start, file.tell()))
            yield from _array(file, stretch, bare) if begin == b"[" else _lines(file, stretch)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from error
    except (*_BROKEN, ValueError) as error:
        raise Unreadable(f"{path} is no JSON array, nor JSON lines: {error}.") from error


def _begin(file: BinaryIO) -> bytes:
    """The first byte that is no blank; the file stands behind a `[`, before anything else."""
    if file.read(3) != b"\xef\xbb\xbf":
        file.seek(0)
    while (found := file.read(1)) in (b" ", b"\t", b"\r", b"\n"):
        pass
    if found and found != b"[":
        file.seek(-1, 1)
    return found


def _lines(file: BinaryIO, stretch: int) -> Iterator[list[msgspec.Raw]]:
    while lines := file.readlines(stretch):
        yield [msgspec.Raw(line) for line in lines if line.strip()]


def _array(file: BinaryIO, stretch: int, bare: bool) -> Iterator[list[msgspec.Raw]]:
    """bare: no element came before. left: what was read and not given yet, behind a `[`, so that a `]` at a cut makes
    it an array.
    """
    left, guess = bytearray(b"["), None
    while more := file.read(max(stretch, len(left))):
        left += more
        if guess is None:
            guess = _signature(left)
        elements, end = _cut(left, guess)
        if elements:
            yield elements
            left, bare = bytearray(b"[") + memoryview(left)[end:], False
        elif len(left) > LIMIT:
            raise ValueError(f"an element is longer than {LIMIT} bytes")
    last = _last(left)
    if not last and not bare:
        raise ValueError("nothing follows its last comma")
    yield last


def _last(left: bytearray) -> list[msgspec.Raw]:
    """The elements up to the end of the array, which has to be that of the file."""
    if not left.rstrip().endswith(b"]"):
        raise ValueError("it ends before its array does, as if it were cut off")
    return _ARRAY.decode(left)


def _ahead(file: BinaryIO, start: int, guess: re.Pattern[bytes], ahead: int) -> int:
    """The last guess within so many bytes, looked for in ever longer ends; 0 where there is none."""
    window = min(_NEAR // 8, ahead)
    while True:
        file.seek(start + ahead - window)
        found = [match.start() for match in guess.finditer(file.read(window))]
        if found:
            return start + ahead - window + found[-1]
        if window == ahead:
            return 0
        window = min(window * 8, ahead)


def _signature(first: bytes | bytearray) -> re.Pattern[bytes] | None:
    """What lies between two elements if all begin with the same two fields as the first; None where it has none."""
    match = _FIRST.match(first)
    if match is None:
        return None
    one, two = map(re.escape, match.groups())
    return re.compile(rb',(?=\s*\{\s*"' + one + rb'"\s*:[^,{\[]*,\s*"' + two + rb'"\s*:)')


def _cut(left: bytearray, guess: re.Pattern[bytes] | None) -> tuple[list[msgspec.Raw], int]:
    """As many elements as lie whole in `left`, and where what follows begins."""
    for comma in _guesses(left, guess):
        left[comma] = _CLOSE
        try:
            if elements := _ARRAY.decode(memoryview(left)[: comma + 1]):
                return elements, comma + 1
        except _BROKEN:
            pass
        left[comma] = _COMMA
    comma = _counted(left)
    if not comma:
        return [], 0
    left[comma] = _CLOSE
    elements = _ARRAY.decode(memoryview(left)[: comma + 1])
    if not elements:
        raise ValueError("nothing stands before its first comma")
    return elements, comma + 1


def _guesses(left: bytearray, guess: re.Pattern[bytes] | None) -> list[int]:
    """Some last commas that may be cuts, the last first, looked for in ever longer ends."""
    window = _NEAR
    while guess:
        start = max(0, len(left) - window)
        found = [match.start() for match in guess.finditer(left, start)]
        if len(found) >= _GUESSES or start == 0:
            return found[: -_GUESSES - 1 : -1]
        window *= 8
    return []


def _counted(left: bytearray) -> int:
    """The last comma between two elements, found by counting; 0 where there is none."""
    depth = found = 0
    for match in _TOKEN.finditer(left):
        token = match[0]
        depth += (token in b"[{") - (token in b"]}")
        if depth == 1 and token == b",":
            found = match.start()
    return found
