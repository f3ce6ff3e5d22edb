"""Publishing into a bucket: what readers see, whatever happens on the way, on folders and two real S3 servers."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from obstore.store import LocalStore, MemoryStore

from label_configs.errors import Mendable, Unreadable
from store.buckets import open_bucket
from sync.bucket import layout
from sync.bucket.check import verify
from sync.bucket.layout import (
    HISTORY,
    LATEST,
    NOTHING,
    PARTS,
    current,
    history,
    history_place,
    listing,
    manifest,
    newest,
    read,
)
from sync.bucket.prune import Pruned, prune
from sync.bucket.publish import Difference, publish, settle

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ABOUT = {"tool": "test 1", "rules": "r1"}
STATE = {"judgments": "2026-11-25T14:00:00.000000Z"}
FILES = {"trec/qrels.txt": "q1 0 d1 3\n", "trec/run.txt": "q1 Q0 d1 1 0.5 x\n", "beir/corpus.jsonl": "{}\n"}
LAGS = f"{LATEST} does not name what was published last: run sync again"
"""What may be left of a publication that was killed before its last write."""
LATER = datetime.now(UTC) + timedelta(hours=2)
"""When nothing that was written now is young any more."""


class Between:
    """A bucket that does something before, or in place of, its nth write or delete."""

    def __init__(self, bucket: "ObjectStore", writes: int, then: Callable[[], object]) -> None:
        self.bucket, self.left, self.then = bucket, writes, then

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bucket, name)

    def put(self, *given: Any, **more: Any) -> Any:
        self._count()
        return self.bucket.put(*given, **more)

    def delete(self, places: str | list[str]) -> None:
        for place in [places] if isinstance(places, str) else places:
            self._count()
            self.bucket.delete(place)

    def _count(self) -> None:
        self.left -= 1
        if self.left == -1:
            self.then()


def die() -> None:
    raise KeyboardInterrupt


def dying(bucket: "ObjectStore", writes: int) -> Any:
    return Between(bucket, writes, die)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {}
    for name, text in FILES.items():
        path = tmp_path / "exports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        found[name] = path
    return found


@pytest.fixture(params=["memory", "folder", "swift", "moto"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "ObjectStore":
    """An empty bucket of each kind."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "folder":
        return LocalStore(tmp_path / "bucket", mkdir=True)
    return open_bucket(place(request, request.param, monkeypatch))


def place(request: pytest.FixtureRequest, kind: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new prefix in a bucket of a real server, which the environment leads to."""
    if kind == "moto":
        request.getfixturevalue("bucket")
        return f"s3://media/{uuid.uuid4().hex}"
    for name, value in request.getfixturevalue("swift").items():
        monkeypatch.setenv(name, value)
    return f"s3://train/{uuid.uuid4().hex}"


def places(bucket: "ObjectStore", prefix: str = "") -> set[str]:
    return {str(found["path"]) for found in listing(bucket, prefix)}


def seen(bucket: "ObjectStore") -> dict[str, str]:
    """What a reader finds: the text of every file of the version that latest.json names."""
    found = manifest(bucket, current(bucket)).get("files", {})
    return {name: (read(bucket, entry["part"]) or b"?").decode() for name, entry in found.items()}


def points(writes: int, recorded: int) -> list[tuple[str, int]]:
    """Every write of a publication of three parts: they, the manifest, the history, the name of the latest. What
    happens between two requests is no server's affair; how it makes an entry of the history is.
    """
    return [*product(["memory", "folder"], range(writes)), ("swift", recorded), ("moto", recorded)]


def double(files: Mapping[str, Path]) -> dict[str, str]:
    for path in files.values():
        path.write_text(path.read_text() * 2)
    return {name: path.read_text() for name, path in files.items()}


def test_an_empty_bucket_has_no_version_and_no_damage(made: "ObjectStore") -> None:
    assert newest(made) == current(made) == NOTHING
    assert manifest(made, NOTHING) == {}
    assert verify(made) == (0, 0, 0, [], [])
    assert prune(made, 1) == (0, 0, 0)


def test_a_version_is_parts_a_manifest_an_entry_and_the_name_of_the_latest(
    made: "ObjectStore", files: dict[str, Path]
) -> None:
    done = publish(made, files, ABOUT, STATE)
    assert seen(made) == FILES
    found = manifest(made, current(made))
    parts = {entry["part"] for entry in found["files"].values()}
    assert places(made) == parts | {LATEST, history_place(1), f"versions/{done.version}/manifest.json"}
    assert {k: found[k] for k in ABOUT} == ABOUT
    assert done.written == sum(len(read(made, one) or b"") for one in places(made))
    assert done.difference == Difference(sorted(FILES), [], [])
    assert verify(made) == (1, 3, sum(map(len, FILES.values())), [], [])


def test_a_manifest_tells_size_hash_rows_and_columns(made: "ObjectStore", tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"query_id": ["q1", "q2"], "grade": [3, 0]}), tmp_path / "a.parquet")
    (tmp_path / "b.bin").write_bytes(b"x\n")
    content = b"a\tb\n1\t2\n3\t4\n"
    (tmp_path / "c.tsv").write_bytes(content)
    publish(made, {path.name: path for path in sorted(tmp_path.glob("?.*"))}, ABOUT, STATE)
    said = manifest(made, current(made))["files"]
    assert said["a.parquet"]["rows"] == 2
    assert said["a.parquet"]["columns"] == {"query_id": "string", "grade": "int64"}
    assert "rows" not in said["b.bin"]
    sha256 = hashlib.sha256(content).hexdigest()
    assert said["c.tsv"] == {"part": f"parts/{sha256}.tsv", "sha256": sha256, "bytes": 12, "rows": 3}


def test_the_same_again_writes_nothing(made: "ObjectStore", files: dict[str, Path]) -> None:
    first = publish(made, files, ABOUT, STATE)
    for path in files.values():
        path.write_bytes(path.read_bytes())  # a new time, the same content: no clock in the version
    assert publish(dying(made, 0), files, ABOUT, STATE) == (first.version, 0, Difference([], [], []))


def test_a_changed_file_writes_its_part_and_three_names(made: "ObjectStore", files: dict[str, Path]) -> None:
    publish(made, files, ABOUT, STATE)
    before = places(made)
    files["trec/qrels.txt"].write_text("q1 0 d1 0\n")
    del files["beir/corpus.jsonl"]
    done = publish(made, files, ABOUT, STATE)
    new = places(made) - before
    assert len(new) == 3  # a part, a manifest, an entry of the history; latest.json was there
    assert done.written == sum(len(read(made, one) or b"") for one in new | {LATEST})
    assert done.difference == Difference([], ["trec/qrels.txt"], ["beir/corpus.jsonl"])


def test_going_back_writes_two_names_alone(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    first = publish(bucket, files, ABOUT, STATE)
    publish(bucket, files, {**ABOUT, "rules": "r2"}, STATE)
    back = publish(bucket, files, ABOUT, STATE)
    assert back.version == first.version == current(bucket).version
    assert [one.version for one in history(bucket)].count(first.version) == 2
    assert back.written == 2 * len(read(bucket, LATEST) or b"")


@pytest.mark.parametrize(("made", "writes"), points(6, 4), indirect=["made"])
def test_killed_at_any_write_readers_keep_the_old_version(
    made: "ObjectStore", files: dict[str, Path], writes: int
) -> None:
    publish(made, files, ABOUT, STATE)
    wanted = double(files)
    with pytest.raises(KeyboardInterrupt):
        publish(dying(made, writes), files, ABOUT, STATE)
    assert seen(made) == FILES
    done = publish(made, files, ABOUT, STATE)
    assert seen(made) == wanted
    assert current(made).version == done.version
    assert len(history(made)) == 2
    assert verify(made).problems == []


class Crowd:
    """A bucket that lets a write of a part end once so many are under way, and notes in which order writes end."""

    def __init__(self, bucket: "ObjectStore", together: int) -> None:
        self.bucket, self.together, self.ended = bucket, threading.Barrier(together, timeout=20), list[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bucket, name)

    def put(self, place: str, *given: Any, **more: Any) -> Any:
        if place.startswith(PARTS):
            self.together.wait()
        done = self.bucket.put(place, *given, **more)
        self.ended.append(place.partition("/")[0])
        return done


def test_parts_are_written_several_at_once_and_all_of_them_before_what_names_them(files: dict[str, Path]) -> None:
    bucket: Any = Crowd(MemoryStore(), len(FILES))
    publish(bucket, files, ABOUT, STATE)
    assert bucket.ended == ["parts"] * 3 + ["versions", "history", LATEST]
    assert verify(bucket).problems == []


def test_where_one_part_fails_those_that_have_not_begun_are_not_written(tmp_path: Path) -> None:
    many = {f"{n:03d}.txt": tmp_path / f"{n:03d}.txt" for n in range(200)}
    for path in many.values():
        path.write_text(path.name)
    bucket = MemoryStore()
    with pytest.raises(KeyboardInterrupt):
        publish(dying(bucket, 3), many, ABOUT, STATE)
    assert len(places(bucket)) < len(many)
    assert newest(bucket) == NOTHING


def test_a_dry_run_counts_the_bytes_and_writes_none(made: "ObjectStore", files: dict[str, Path]) -> None:
    would = publish(made, files, ABOUT, STATE, dry_run=True)
    assert places(made) == set()
    assert publish(made, files, ABOUT, STATE) == would


# two writers


@pytest.mark.parametrize(("made", "writes"), points(5, 4), indirect=["made"])
def test_of_two_writers_at_once_one_is_told_and_readers_see_the_other(
    made: "ObjectStore", files: dict[str, Path], writes: int
) -> None:
    publish(made, files, ABOUT, STATE)
    wanted = double(files)
    other = {name: path.with_suffix(".other") for name, path in files.items()}
    for path in other.values():
        path.write_text("other")
    slow: Any = Between(made, writes, lambda: publish(made, other, ABOUT, STATE))
    with pytest.raises(Mendable, match="Another sync has just published") as told:
        publish(slow, files, ABOUT, STATE)
    assert told.value.mend == "Run it again."
    assert set(seen(made).values()) == {"other"}
    publish(made, files, ABOUT, STATE)
    assert seen(made) == wanted
    assert verify(made).problems == []


def test_a_writer_held_up_before_the_last_step_does_not_bring_the_old_version_back(
    made: "ObjectStore", files: dict[str, Path]
) -> None:
    publish(made, files, ABOUT, STATE)
    wanted = double(files)
    late: Any = Between(made, 5, lambda: publish(made, files, {**ABOUT, "rules": "r2"}, STATE))
    publish(late, files, ABOUT, STATE)  # writes latest.json after the other has
    assert manifest(made, current(made))["rules"] == "r2"
    assert seen(made) == wanted


def test_a_server_without_conditional_writes_lets_one_writer_win(files: dict[str, Path]) -> None:
    class Plain(Between):
        def put(self, *given: Any, **_: Any) -> Any:
            return super().put(*given)

    bucket = MemoryStore()
    publish(bucket, files, ABOUT, STATE)
    double(files)
    slow: Any = Plain(bucket, 4, lambda: publish(bucket, files, {**ABOUT, "rules": "r2"}, STATE))
    publish(slow, files, ABOUT, STATE)
    assert current(bucket) == newest(bucket)
    assert verify(bucket).problems == []


def test_many_writers_leave_a_whole_version_and_an_unbroken_history(made: "ObjectStore", tmp_path: Path) -> None:
    told: list[str] = []

    def write(number: int) -> None:
        path = tmp_path / f"{number}.txt"
        path.write_text(f"{number}")
        for _ in range(20):
            try:
                publish(made, {"a.txt": path}, {"writer": number}, STATE)
            except Mendable as error:
                told.append(error.what)
            else:
                return

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.number for one in history(made)] == list(range(1, 7))
    assert len({one.version for one in history(made)}) == 6
    assert current(made) == newest(made)
    assert set(told) <= {
        "Another sync has just published into the bucket.",
        "latest.json is written by others all the time.",
    }
    assert verify(made).problems == []


# damage


def test_a_flipped_byte_and_a_missing_part_are_each_named(made: "ObjectStore", files: dict[str, Path]) -> None:
    publish(made, files, ABOUT, STATE)
    said = manifest(made, current(made))["files"]
    made.put(said["trec/qrels.txt"]["part"], b"q1 0 d1 2\n")
    made.delete(said["trec/run.txt"]["part"])
    assert sorted(verify(made).problems) == [
        f"trec/qrels.txt: {said['trec/qrels.txt']['part']} is not what was written",
        f"trec/run.txt: {said['trec/run.txt']['part']} is missing",
    ]


def test_damaged_parts_that_were_deleted_are_written_again(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    publish(bucket, files, ABOUT, STATE)
    bucket.delete(manifest(bucket, current(bucket))["files"]["trec/run.txt"]["part"])
    assert publish(bucket, files, ABOUT, STATE).written == len(FILES["trec/run.txt"])
    bucket.delete(current(bucket).manifest)
    assert "lacks versions/" in verify(bucket).problems[0]
    publish(bucket, files, ABOUT, STATE)
    assert verify(bucket).problems == []


@pytest.mark.parametrize(
    "latest", [b"", b"null", b"{}", b"[1]", b'{"number": "x", "version": "", "manifest": "", "state": {}}']
)
def test_a_damaged_name_of_the_latest_is_a_sentence_and_mended_by_the_next_sync(
    files: dict[str, Path], latest: bytes
) -> None:
    bucket = MemoryStore()
    publish(bucket, files, ABOUT, STATE)
    bucket.put(LATEST, latest)
    with pytest.raises(Unreadable, match=r"latest\.json") as damaged:
        current(bucket)
    assert "run sync again" in damaged.value.mend
    assert verify(bucket).problems == ["latest.json does not name what was published last: run sync again"]
    assert publish(bucket, files, ABOUT, STATE).written == len(read(bucket, LATEST) or b"")
    assert seen(bucket) == FILES


def test_a_manifest_that_somebody_edited_is_not_believed(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    publish(bucket, files, ABOUT, STATE)
    bucket.put(current(bucket).manifest, b"{}")
    with pytest.raises(Unreadable, match="not what was written"):
        manifest(bucket, current(bucket))


def test_a_name_that_lags_behind_the_history_is_brought_up(made: "ObjectStore", files: dict[str, Path]) -> None:
    publish(made, files, ABOUT, STATE)
    old = read(made, LATEST) or b""
    double(files)
    publish(made, files, ABOUT, STATE)
    made.put(LATEST, old)
    assert newest(made).number == 2
    assert settle(made) == len(read(made, LATEST) or b"")
    assert current(made).number == 2
    assert settle(made) == 0


def test_a_damaged_history_is_named_whole_and_the_rest_is_verified(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    versions(bucket, files, 4)
    bucket.put(history_place(2), b"{}")
    bucket.put(history_place(3), b"")
    bucket.put(f"{HISTORY}read-me.txt", b"nobody's entry")
    said = [f"{history_place(number)} in the bucket is damaged." for number in (2, 3)]
    assert verify(bucket).problems == said
    assert verify(bucket).versions == 2
    with pytest.raises(Unreadable, match="history is damaged") as told:
        prune(bucket, 1)
    assert (list(told.value.problems), told.value.mend) == (said, "Delete these, and run sync again.")
    bucket.delete([history_place(2), history_place(3)])
    assert publish(bucket, files, {**ABOUT, "rules": "r2"}, STATE).written
    assert verify(bucket).problems == []


def test_damage_of_an_earlier_version_names_it(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    versions(bucket, files, 2)
    first = history(bucket)[0]
    part = manifest(bucket, first)["files"]["trec/qrels.txt"]["part"]
    bucket.delete(part)
    assert verify(bucket).problems == [f"trec/qrels.txt: {part} is missing (version {first.version})"]
    bucket.delete(first.manifest)
    with pytest.raises(Unreadable, match="lacks versions/") as told:
        prune(bucket, 2)
    assert f"--as-of {first.version}" in told.value.mend
    assert prune(bucket, 1, now=LATER).versions == 1
    assert verify(bucket).problems == []


def test_what_is_pruned_while_it_is_verified_is_no_damage(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    versions(bucket, files, 3)
    first = manifest(bucket, history(bucket)[0])["files"]["trec/qrels.txt"]["part"]

    class Pruned(Asked):
        def get(self, place: str) -> Any:
            if place == first:
                prune(bucket, 1, now=LATER)
            return super().get(place)

    beside: Any = Pruned(bucket)
    assert verify(beside).problems == []


class Asked:
    """A bucket that counts what is read."""

    def __init__(self, bucket: "ObjectStore") -> None:
        self.bucket, self.count = bucket, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bucket, name)

    def get(self, place: str) -> Any:
        self.count += 1
        return self.bucket.get(place)


def test_the_last_of_a_thousand_entries_costs_no_more_than_that_of_one(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    publish(bucket, files, ABOUT, STATE)
    first = current(bucket)
    for number in range(2, 1001):
        bucket.put(history_place(number), layout.latest(first._replace(number=number)))
    settle(bucket)
    for lost in ([], [LATEST]):
        bucket.delete(lost)
        asked: Any = Asked(bucket)
        assert newest(asked).number == 1000
        assert asked.count <= 4
    assert verify(bucket).versions == 1
    assert prune(bucket, 1, now=LATER) == Pruned(0, 0, 0)


# pruning


def versions(bucket: "ObjectStore", files: Mapping[str, Path], count: int) -> None:
    for number in range(count):
        files["trec/qrels.txt"].write_text(f"q1 0 d1 {number}\n")
        publish(bucket, files, ABOUT, STATE)


def test_pruning_keeps_the_last_versions_and_what_they_need(made: "ObjectStore", files: dict[str, Path]) -> None:
    versions(made, files, 4)
    last = [one.version for one in history(made)][2:]
    would = prune(made, 2, dry_run=True, now=LATER)
    assert len(history(made)) == 4
    assert prune(made, 2, now=LATER) == would
    assert would.versions == 2
    assert would.objects == 4  # two manifests, two parts; the two other files are shared
    assert [one.version for one in history(made)] == last
    assert verify(made)[3:] == ([], [])
    assert len(places(made, PARTS)) == 4
    assert publish(dying(made, 0), files, ABOUT, STATE).written == 0


def test_a_version_published_twice_counts_once(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    publish(bucket, files, ABOUT, STATE)
    publish(bucket, files, {**ABOUT, "rules": "r2"}, STATE)
    publish(bucket, files, ABOUT, STATE)
    assert prune(bucket, 2, now=LATER) == Pruned(0, 0, 0)
    assert prune(bucket, 1, now=LATER).versions == 1
    assert {one.version for one in history(bucket)} == {current(bucket).version}


def test_what_a_killed_upload_left_is_an_orphan_and_swept_once_it_is_old(
    made: "ObjectStore", files: dict[str, Path]
) -> None:
    publish(made, files, ABOUT, STATE)
    double(files)
    with pytest.raises(KeyboardInterrupt):
        publish(dying(made, 3), files, ABOUT, STATE)
    orphans = verify(made).orphans
    assert len(orphans) == 3
    assert prune(made, 9).objects == 0  # it might be one that is going on
    assert prune(made, 9, now=LATER).objects == 3
    assert verify(made).orphans == []
    assert seen(made) == FILES


def test_a_folder_is_rid_of_the_beginnings_of_files(tmp_path: Path, files: dict[str, Path]) -> None:
    bucket = LocalStore(tmp_path / "bucket", mkdir=True)
    publish(bucket, files, ABOUT, STATE)
    begun = tmp_path / "bucket" / "parts" / "0.txt#1"
    begun.write_text("half")
    prune(bucket, 1)
    assert begun.exists()
    prune(bucket, 1, now=LATER)
    assert not begun.exists()


@pytest.mark.parametrize("deletes", range(6))
def test_killed_while_pruning_nothing_is_named_that_is_not_there(files: dict[str, Path], deletes: int) -> None:
    bucket = MemoryStore()
    versions(bucket, files, 3)
    with pytest.raises(KeyboardInterrupt):
        prune(dying(bucket, deletes), 1, now=LATER)
    assert verify(bucket).problems == []
    prune(bucket, 1, now=LATER)
    assert verify(bucket)[3:] == ([], [])
    assert len(places(bucket, HISTORY)) == 1


class Aged:
    """A bucket in which all that is there now is two hours old, until it is written again."""

    def __init__(self, bucket: "ObjectStore") -> None:
        self.bucket, self.old = bucket, places(bucket)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bucket, name)

    def put(self, place: str, *given: Any, **more: Any) -> Any:
        self.old.discard(place)
        return self.bucket.put(place, *given, **more)

    def head(self, place: str) -> Any:
        return self._aged(self.bucket.head(place))

    def list(self, prefix: str) -> Any:
        return [[self._aged(found) for found in batch] for batch in self.bucket.list(prefix)]

    def _aged(self, found: Any) -> Any:
        age = timedelta(hours=2 if found["path"] in self.old else 0)
        return {**found, "last_modified": found["last_modified"] - age}


def test_a_version_that_somebody_may_be_reading_stays_for_an_hour(files: dict[str, Path]) -> None:
    bucket = MemoryStore()
    versions(bucket, files, 3)
    old: Any = Aged(bucket)
    files["trec/qrels.txt"].write_text("q1 0 d1 9\n")
    before = seen(bucket)
    reader = manifest(bucket, current(bucket))["files"]
    publish(old, files, ABOUT, STATE)
    assert prune(old, 1).versions == 2  # those before the one that was the latest until now
    assert {name: (read(bucket, entry["part"]) or b"").decode() for name, entry in reader.items()} == before
    assert prune(bucket, 1, now=LATER).versions == 1
    assert verify(bucket)[3:] == ([], [])


@pytest.mark.parametrize("writes", range(6))
def test_pruning_beside_a_publication_of_an_earlier_version_breaks_nothing(files: dict[str, Path], writes: int) -> None:
    bucket = MemoryStore()
    publish(bucket, files, ABOUT, STATE)
    wanted = seen(bucket)
    versions(bucket, files, 2)
    files["trec/qrels.txt"].write_text(FILES["trec/qrels.txt"])
    aged: Any = Aged(bucket)
    beside: Any = Between(aged, writes, lambda: prune(aged, 1))
    publish(beside, files, ABOUT, STATE)
    assert seen(bucket) == wanted
    assert verify(bucket).problems == []


@pytest.mark.parametrize("writes", range(6))
def test_pruning_beside_a_publication_that_brings_old_parts_back_breaks_nothing(
    files: dict[str, Path], writes: int
) -> None:
    publish(bucket := MemoryStore(), files, ABOUT, STATE)
    versions(bucket, files, 2)
    files["trec/qrels.txt"].write_text(FILES["trec/qrels.txt"])
    aged: Any = Aged(bucket)
    beside: Any = Between(aged, writes, lambda: prune(aged, 1))
    publish(beside, files, {**ABOUT, "rules": "r2"}, STATE)
    assert seen(bucket) == FILES
    assert verify(bucket).problems == []


# a real kill


SCRIPT = """
import sys
from pathlib import Path
from store.buckets import open_bucket
from sync.bucket.publish import publish
folder = Path(sys.argv[2])
publish(open_bucket(sys.argv[1], make=True), {p.name: p for p in sorted(folder.iterdir())}, {}, {})
"""


@pytest.mark.parametrize("kind", ["swift", "moto", "folder"])
def test_killed_by_the_system_in_mid_upload_a_bucket_stays_whole(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(tmp_path / "bucket") if kind == "folder" else place(request, kind, monkeypatch)
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    publish(open_bucket(url, make=True), {"old.txt": folder / "old.txt"}, {}, {})
    for number in range(6):
        (folder / f"{number}.bin").write_bytes(os.urandom(7_000_000))  # more than one part of an upload
    command = [sys.executable, "-c", SCRIPT, url, str(folder)]
    for wait in (0.5, 0.8, 1.1):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        bucket = open_bucket(url)
        assert set(verify(bucket).problems) <= {LAGS}
        assert sorted(manifest(bucket, current(bucket))["files"]) in (["old.txt"], sorted(os.listdir(folder)))
    subprocess.run(command, check=True)
    bucket = open_bucket(url)
    assert verify(bucket)[3:] == ([], [])
    assert sorted(manifest(bucket, current(bucket))["files"]) == sorted(os.listdir(folder))


# opening


def test_a_missing_folder_is_made_only_when_asked(tmp_path: Path) -> None:
    assert newest(open_bucket(str(tmp_path / "b"))) == NOTHING
    assert not (tmp_path / "b").exists()
    open_bucket(f"file://{tmp_path / 'b'}", make=True)
    assert (tmp_path / "b").is_dir()


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(Mendable, match="cannot be opened") as refused:
        open_bucket(url)
    assert "or a folder" in refused.value.mend


def test_a_bucket_that_cannot_be_read_is_a_sentence(tmp_path: Path, files: dict[str, Path]) -> None:
    bucket = open_bucket(str(tmp_path / "bucket"), make=True)
    (tmp_path / "bucket" / LATEST).symlink_to(LATEST)  # a loop: the disk answers with an error
    for use in (lambda: current(bucket), lambda: publish(bucket, files, ABOUT, STATE)):
        with pytest.raises(Mendable, match="bucket"):
            use()


def test_a_wrong_secret_is_a_sentence_that_does_not_tell_it(
    swift: Mapping[str, str], files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**swift, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Mendable, match="cannot be") as refused:
        publish(open_bucket("s3://train/x"), files, ABOUT, STATE)
    assert "not-the-secret" not in str(refused.value)
    assert "credentials" in refused.value.mend


def test_a_bucket_that_is_not_there_and_a_server_without_tls_are_said_with_their_mend(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(request, "moto", monkeypatch)
    with pytest.raises(Mendable, match="cannot be") as refused:
        newest(open_bucket("s3://no-such-bucket/x"))
    assert refused.value.mend.startswith("Make the bucket")
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(Mendable, match="cannot be") as refused:
        current(open_bucket("s3://media/x"))
    assert "AWS_ALLOW_HTTP=true" in refused.value.mend


def test_latest_is_plain_json_for_readers_without_this_tool(tmp_path: Path, files: dict[str, Path]) -> None:
    bucket = open_bucket(str(tmp_path / "bucket"), make=True)
    done = publish(bucket, files, ABOUT, STATE)
    named = json.loads((tmp_path / "bucket" / LATEST).read_text())
    place = f"versions/{done.version}/manifest.json"
    assert named == {"number": 1, "version": done.version, "manifest": place, "state": STATE}
    listed = json.loads((tmp_path / "bucket" / named["manifest"]).read_text())["files"]
    assert (tmp_path / "bucket" / listed["trec/qrels.txt"]["part"]).read_text() == FILES["trec/qrels.txt"]
