"""Hostile input, made of sound input: cut, mixed, and sown with what readers stumble over; and what it must not do."""

import random
import re
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from reliability import Tally

from label_configs.errors import mendable

DEADLINE = 10.0
"""Seconds of the processor that one input may take."""
_SAID = 20_000
"""Characters of a message that somebody still reads."""
_DEEP = 3_000
TOKENS: Sequence[bytes] = (
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\r",
        b"\n",
        b"\r\n",
        b"\t",
        b"\x1b[2J",
        b"\x85",
    ),
    *(b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf", b"1e999", b"-1", b"0", b"1e-400", b"9" * 5_000, b"0x7fffffff"),
    *(
        b"true",
        b"null",
        b"{}",
        b"[]",
        b'""',
        b'"',
        b"'",
        b"\\",
        b",",
        b":",
        b"=",
        b"#",
        b"---",
        b"...",
        b"9223372036854775808",
    ),
    *(
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\\udfff\\ud800"',
        "\u202egnp.exe".encode(),
        "e\u0301\u00e9".encode(),
        "\u2028".encode(),
    ),
    *(
        b"[" * _DEEP,
        b'{"a":' * _DEEP,
        b"{" * _DEEP,
        b"- " * _DEEP,
        b"[" * _DEEP + b"]" * _DEEP,
        b"a." * _DEEP + b"a = 1",
    ),
    *(b"../../../etc/passwd", b"/etc/passwd", b"file:///etc/passwd", b"http://169.254.169.254/", b"x" * 5_000),
    *(
        b"!!python/object/apply:os.abort []",
        b"&a [*a, *a]",
        b"<<: *a",
        b"? [a]: b",
        b"2026-02-30",
        b"!!binary x",
        b"1:2:3",
    ),
    *(b'<!DOCTYPE x [<!ENTITY a "b">]>', b"<script>alert(1)</script>", b"{{7*7}}", b"${jndi:x}", b"%s%n"),
)
_VALUE = re.compile(rb'"[^"\n]*"|[-\d.]+|\w+')


class Target(NamedTuple):
    """What reads input. seeds: sound ones. name: the file's. read: is given the file's path."""

    file: str
    seeds: Sequence[bytes]
    read: Callable[[Path], object]


class Hang(BaseException):
    """What ends a reader that takes too long."""


def mutants(seeds: Sequence[bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """So many inputs, the same for the same seed: sound ones changed up to four times."""
    chance = random.Random(seed)
    for _ in range(count):
        content = chance.choice(seeds)
        for _ in range(chance.randint(1, 4)):
            content = chance.choice(_CHANGES)(content, chance)
        yield content


def storm(target: Target, folder: Path, count: int, tally: Tally) -> list[str]:
    """Give the target so many inputs; what went wrong, a sentence each. Counts into the tally."""
    path, wrong = folder / target.file, list[str]()
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(mutants(target.seeds, count)):
        path.write_bytes(content)
        problem = _tried(target, path)
        if not problem and (
            path.read_bytes() != content or [*folder.iterdir()] != [folder / path.relative_to(folder).parts[0]]
        ):
            problem = "a file was changed"
        if problem:
            wrong.append(f"input {number}, {content[:60]!r}: {problem}")
    hangs = sum("too long" in one for one in wrong)
    tally.add(bad_inputs=count, crashes=len(wrong) - hangs, hangs=hangs)
    return wrong


def _tried(target: Target, path: Path) -> str:
    """What is wrong with what the target did; empty where it read the input, or said what is wrong with it."""
    try:
        with deadline():
            target.read(path)
    except Hang:
        return "it takes too long"
    except Exception as error:
        told = mendable(error)
        if told is None:
            return "".join(traceback.format_exception(error)[-3:])
        return "its message is too long" if len(str(told)) > _SAID else ""
    return ""


@contextmanager
def deadline(seconds: float = DEADLINE) -> Iterator[None]:
    """Raise Hang where the block takes more of the processor than that."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randint(0, len(content))]


def _without(content: bytes, chance: random.Random) -> bytes:
    start, end = _stretch(content, chance)
    return content[:start] + content[end:]


def _twice(content: bytes, chance: random.Random) -> bytes:
    start, end = _stretch(content, chance)
    return content[:end] + content[start:]


def _sown(content: bytes, chance: random.Random) -> bytes:
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice(TOKENS) + content[place:]


def _valued(content: bytes, chance: random.Random) -> bytes:
    """Another value in the place of one that stands there."""
    found = [*_VALUE.finditer(content)]
    if not found:
        return _sown(content, chance)
    one = chance.choice(found)
    return content[: one.start()] + chance.choice(TOKENS) + content[one.end() :]


def _flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.choice((0, 255, 0x80, chance.randrange(256)))
    return bytes(changed)


def _shuffled(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    chance.shuffle(lines)
    return b"".join(lines)


def _ended(content: bytes, chance: random.Random) -> bytes:
    """Other line ends, mixed."""
    return b"".join(line + chance.choice((b"\n", b"\r\n", b"\r", b"")) for line in content.split(b"\n"))


def _marked(content: bytes, chance: random.Random) -> bytes:
    return chance.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\x00")) + content


def _wide(content: bytes, chance: random.Random) -> bytes:
    return content.decode("latin-1").encode(chance.choice(("utf-16", "utf-32", "utf-7")))


def _stretch(content: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(content))
    return start, min(len(content), start + chance.choice((1, 8, 64, 512)))


_CHANGES = (
    _cut,
    _without,
    _twice,
    _sown,
    _sown,
    _valued,
    _valued,
    _valued,
    _flipped,
    _flipped,
    _shuffled,
    _ended,
    _marked,
    _wide,
)
