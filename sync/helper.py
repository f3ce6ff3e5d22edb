"""A process that reads stretches of an export for another one, and what the two say to each other.

They talk over pipes, in msgpack, each message behind its length. The helper ends when the other closes its end.
"""

import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import msgspec

from label_configs.rules import Rules
from store.json_array import Stretch
from store.rows import Batch
from sync.bulk import Bulk, Head, Left, Told

_T = TypeVar("_T")


class Begin(NamedTuple):
    """What is to be read; see Bulk."""

    path: str
    project: int
    heads: bool


class Job(NamedTuple):
    """Stretches to read, and rules that were not known yet."""

    stretches: list[Stretch]
    rules: list[Rules]


class Packed(NamedTuple):
    """What they say; see Told. batch: as Batch.packed gives it, nothing where there is none."""

    end: int
    number: int
    tasks: list[Head | Left]
    batch: tuple[bytes, bytes, bytes] | None
    whole: bool

    @classmethod
    def of(cls, told: Told) -> "Packed":
        """Fit for a pipe."""
        return cls(told.end, told.count, told.tasks, told.batch and told.batch.packed(), told.whole)

    def told(self) -> Told:
        """As it was."""
        return Told(self.end, self.number, self.tasks, self.batch and Batch.unpacked(*self.batch), self.whole)


def send(pipe: BinaryIO, message: object) -> None:
    """Say something."""
    content = msgspec.msgpack.encode(message)
    pipe.write(len(content).to_bytes(8, "little"))
    pipe.write(content)
    pipe.flush()


def receive(pipe: BinaryIO, kind: type[_T]) -> _T:
    """Hear something. Raises EOFError when the other is gone."""
    length = pipe.read(8)
    content = pipe.read(int.from_bytes(length, "little"))
    if len(length) < 8 or len(content) < int.from_bytes(length, "little"):
        raise EOFError
    return msgspec.msgpack.decode(content, type=kind)


def serve() -> None:
    """Read what is asked for, until nobody asks any more. The first answer says that it can begin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    rules: dict[str, Rules] = {}
    try:
        begin = receive(asked, Begin)
        bulk = Bulk(Path(begin.path), begin.project, rules.get, begin.heads)
        send(answers, None)
        while True:
            job = receive(asked, Job)
            rules.update((one.hash, one) for one in job.rules)
            send(answers, Packed.of(bulk.read(job.stretches)))
    except (EOFError, BrokenPipeError):
        os._exit(0)
