"""An export read by several processes at once, in the order of the file whoever read what.

This process reads as well, and begins before the others have started. They are given places of the file to read, and
give columns back; one that dies is done without. They end when this process does, however it ends: then nobody is left
to tell them anything. All that counts, known annotations, problems, writing, is this process's own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Condition, Thread
from typing import Any

import msgspec

from label_configs.rules import Rules
from store import json_array
from store.json_array import Stretch
from store.mappings import RulesOf
from sync.bulk import Bulk, Told
from sync.helper import Begin, Job, Packed, receive, send

_TOGETHER = 1_000_000
"""Bytes that are read into one batch: what is made of them stays at hand for the processor."""
_MOST, _AHEAD = 3, 12
"""Helpers: this process writes what they read, and more would wait for it. And batches for each that may wait."""
_WORTH = 100_000_000
"""Bytes of a file from which the start of another process pays."""
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
class Without:
    def find_spec(self, name, *more):
        if name == "pandas":
            raise ImportError(name)
sys.meta_path.insert(0, Without())
from sync.helper import serve
serve()
"""
"""Without pandas, which pyarrow loads for its first array, if it is there."""


def told(path: Path, project: int, rules_of: RulesOf, heads: bool, helpers: int | None) -> Iterator[Told]:
    """What the stretches of a file say, in their order, up to the first that does not parse. See Bulk."""
    known: dict[str, Rules] = {}

    def remembered(rules_hash: str) -> Rules | None:
        rules = known.get(rules_hash) or rules_of(rules_hash)
        return known.setdefault(rules_hash, rules) if rules else None

    number = many(path) if helpers is None else helpers
    crew = _Crew(Bulk(path, project, remembered, heads), _groups(path), 1 + number * _AHEAD)
    begin = Begin(str(path.absolute()), project, heads)
    started = [_Helper(begin, known) for _ in range(number)]
    threads = [Thread(target=crew.help, args=[helper], daemon=True) for helper in started]
    try:
        for thread in threads:
            thread.start()
        yield from crew.read()
    finally:
        crew.close()
        for helper in started:
            helper.close()
        for thread in threads:
            thread.join()


def many(path: Path) -> int:
    """How many other processes there should be: none on one processor, nor for a small file."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(processors - 1, _MOST) if path.stat().st_size >= _WORTH else 0


def _groups(path: Path) -> Iterator[list[Stretch]]:
    group, size = list[Stretch](), 0
    for stretch in json_array.stretches(path):
        group.append(stretch)
        size += stretch.end - stretch.start
        if size >= _TOGETHER:
            yield group
            group, size = [], 0
    if group:
        yield group


class _Helper:
    """Another process that reads; see `sync.helper`. rules: by hash, those that are known so far."""

    def __init__(self, begin: Begin, rules: Mapping[str, Rules]) -> None:
        start = [sys.executable, "-P", "-c", _START, json.dumps(sys.path)]
        alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=alone)
        self._begin, self._rules, self._given = begin, rules, 0

    def greet(self) -> None:
        """Wait until it can read. Raises OSError or EOFError where it is gone."""
        self._ask(self._begin, None)

    def read(self, stretches: list[Stretch]) -> Told:
        """What they say. Raises OSError or EOFError where it is gone."""
        rules = list(self._rules.values())
        told: Told = self._ask(Job(stretches, rules[self._given :]), Packed).told()
        self._given = len(rules)
        return told

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, message: object, kind: Any) -> Any:
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:
            raise EOFError
        send(asked, message)  # type: ignore[arg-type]
        return receive(answers, kind)  # type: ignore[arg-type]


class _Crew:
    """Groups of stretches, each read by whoever is free, and given in their order."""

    def __init__(self, bulk: Bulk, groups: Iterator[list[Stretch]], ahead: int) -> None:
        self._bulk, self._groups, self._ahead = bulk, groups, ahead
        self._changed = Condition()
        self._taken = self._given = 0
        self._done: dict[int, Told | list[Stretch]] = {}
        self._closed = False

    def help(self, helper: _Helper) -> None:
        """Let a helper read until there is no more; what it dies of is left to this process."""
        job = None
        try:
            helper.greet()
            while job := self._take():
                self._put(job[0], helper.read(job[1]))
        except (OSError, EOFError, msgspec.MsgspecError):
            if job:
                self._put(*job)

    def read(self) -> Iterator[Told]:
        """All of them; this process reads what nobody has taken when it would have to wait."""
        while not self._closed:
            number, found = self._next()
            if found is None:
                return
            told = found if isinstance(found, Told) else self._bulk.read(found)
            if number > self._given:
                self._put(number, told)
                continue
            with self._changed:
                self._given += 1
                self._changed.notify_all()
            yield told
            if not told.whole:
                return

    def close(self) -> None:
        """Give out no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> tuple[int, Told | list[Stretch] | None]:
        """What comes next in the file, as soon as somebody has read it, or else something to read meanwhile."""
        with self._changed:
            while self._given not in self._done:
                if job := self._free():
                    return job
                if self._given == self._taken:
                    return self._given, None
                self._changed.wait()
            return self._given, self._done.pop(self._given)

    def _take(self) -> tuple[int, list[Stretch]] | None:
        """A group that nobody has taken, as soon as few enough wait; None when there is none."""
        with self._changed:
            while not self._closed and self._taken - self._given >= self._ahead:
                self._changed.wait()
            return None if self._closed else self._free()

    def _free(self) -> tuple[int, list[Stretch]] | None:
        group = next(self._groups, None) if self._taken - self._given < self._ahead else None
        if group is None:
            return None
        self._taken += 1
        return self._taken - 1, group

    def _put(self, number: int, found: Told | list[Stretch]) -> None:
        with self._changed:
            self._done[number] = found
            self._changed.notify_all()
