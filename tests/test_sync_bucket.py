"""Publishing into a bucket: what readers see, whatever happens on the way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from obstore.store import LocalStore, MemoryStore

from label_configs.errors import Mendable, Unreadable
from store.buckets import open_bucket
from sync.bucket import LATEST, manifest, publish, read, verify

if TYPE_CHECKING:
    from obstore.store import ObjectStore

ABOUT = {"tool": "test 1", "rules": "r1"}
FILES = {"trec/qrels.txt": "q1 0 d1 3\n", "trec/run.txt": "q1 Q0 d1 1 0.5 x\n", "beir/corpus.jsonl": "{}\n"}


class Dying:
    """A bucket whose process is killed after so many writes."""

    def __init__(self, bucket: "ObjectStore", writes: int) -> None:
        self.bucket, self.left = bucket, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bucket, name)

    def put(self, *given: Any) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.bucket.put(*given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "exports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "exports"


def paths(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def places(bucket: "ObjectStore") -> set[str]:
    return {entry["path"] for batch in bucket.list() for entry in batch}


def version(bucket: "ObjectStore") -> str:
    return str(json.loads(read(bucket, LATEST) or b"{}").get("version"))


Make = Callable[[Path], "ObjectStore"]
buckets = pytest.mark.parametrize(
    "make", [lambda _: MemoryStore(), lambda path: LocalStore(path / "bucket", mkdir=True)], ids=["memory", "folder"]
)


def test_an_empty_bucket_has_no_version_and_no_damage() -> None:
    assert manifest(MemoryStore()) is None
    assert verify(MemoryStore()) == []


@buckets
def test_a_version_is_parts_a_manifest_and_the_name_of_the_latest(make: Make, tmp_path: Path, folder: Path) -> None:
    bucket = make(tmp_path)
    done = publish(bucket, folder, paths(folder), ABOUT)
    found = manifest(bucket)
    assert found is not None
    assert {name: read(bucket, entry["part"]) for name, entry in found["files"].items()} == {
        name: text.encode() for name, text in FILES.items()
    }
    parts = {entry["part"] for entry in found["files"].values()}
    assert places(bucket) == parts | {LATEST, f"versions/{done.version}/manifest.json"}
    assert {k: found[k] for k in ABOUT} == ABOUT
    assert done.written == sum(len(read(bucket, place) or b"") for place in places(bucket))
    assert verify(bucket) == []


@buckets
def test_the_same_again_writes_nothing(make: Make, tmp_path: Path, folder: Path) -> None:
    bucket = make(tmp_path)
    first = publish(bucket, folder, paths(folder), ABOUT)
    for path in paths(folder):
        path.write_bytes(path.read_bytes())  # a new time, the same content: no clock in the version
    assert publish(Dying(bucket, 0), folder, paths(folder), ABOUT) == (first.version, 0)  # type: ignore[arg-type]


@buckets
def test_a_changed_file_writes_its_part_and_the_two_names(make: Make, tmp_path: Path, folder: Path) -> None:
    bucket = make(tmp_path)
    publish(bucket, folder, paths(folder), ABOUT)
    before = places(bucket)
    (folder / "trec" / "qrels.txt").write_text("q1 0 d1 0\n")
    done = publish(bucket, folder, paths(folder), ABOUT)
    new = places(bucket) - before
    assert len(new) == 2  # one part, one manifest; latest.json was there
    assert done.written == sum(len(read(bucket, place) or b"") for place in new | {LATEST})


def test_going_back_writes_the_name_of_the_latest_alone(folder: Path) -> None:
    bucket = MemoryStore()
    first = publish(bucket, folder, paths(folder), ABOUT)
    publish(bucket, folder, paths(folder), {**ABOUT, "rules": "r2"})
    back = publish(bucket, folder, paths(folder), ABOUT)
    assert back.version == first.version == version(bucket)
    assert back.written == len(read(bucket, LATEST) or b"")


@pytest.mark.parametrize("writes", range(5))  # three parts, the manifest, the name of the latest
def test_killed_at_any_write_readers_keep_the_old_version(folder: Path, writes: int) -> None:
    bucket = MemoryStore()
    old = publish(bucket, folder, paths(folder), ABOUT).version
    for path in paths(folder):
        path.write_text(path.read_text() * 2)
    with pytest.raises(KeyboardInterrupt):
        publish(Dying(bucket, writes), folder, paths(folder), ABOUT)  # type: ignore[arg-type]
    assert version(bucket) == old
    assert verify(bucket) == []
    done = publish(bucket, folder, paths(folder), ABOUT)
    assert version(bucket) == done.version != old
    assert verify(bucket) == []


def test_a_dry_run_counts_the_bytes_and_writes_none(folder: Path) -> None:
    bucket = MemoryStore()
    would = publish(bucket, folder, paths(folder), ABOUT, dry_run=True)
    assert places(bucket) == set()
    assert publish(bucket, folder, paths(folder), ABOUT) == would


def test_a_flipped_byte_and_a_missing_part_are_each_named(folder: Path) -> None:
    bucket = MemoryStore()
    publish(bucket, folder, paths(folder), ABOUT)
    files = (manifest(bucket) or {})["files"]
    bucket.put(files["trec/qrels.txt"]["part"], b"q1 0 d1 2\n")
    bucket.delete(files["trec/run.txt"]["part"])
    assert verify(bucket) == [
        f"trec/qrels.txt: {files['trec/qrels.txt']['part']} is not what was written",
        f"trec/run.txt: {files['trec/run.txt']['part']} is missing",
    ]


def test_a_damaged_part_that_was_deleted_is_written_again(folder: Path) -> None:
    bucket = MemoryStore()
    publish(bucket, folder, paths(folder), ABOUT)
    bucket.delete((manifest(bucket) or {})["files"]["trec/run.txt"]["part"])
    assert publish(bucket, folder, paths(folder), ABOUT).written == len(FILES["trec/run.txt"])
    assert verify(bucket) == []


@pytest.mark.parametrize("latest", [b"", b"null", b"{}", b"[1]", b'{"manifest": "versions/x/manifest.json"}'])
def test_a_damaged_name_of_the_latest_is_a_sentence(latest: bytes) -> None:
    bucket = MemoryStore()
    bucket.put(LATEST, latest)
    with pytest.raises(Unreadable, match=r"latest\.json") as damaged:
        manifest(bucket)
    assert "sync again" in damaged.value.mend


# opening


def test_a_missing_folder_is_made_only_when_asked(tmp_path: Path) -> None:
    assert manifest(open_bucket(str(tmp_path / "b"))) is None
    assert not (tmp_path / "b").exists()
    open_bucket(f"file://{tmp_path / 'b'}", make=True)
    assert (tmp_path / "b").is_dir()


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(Mendable, match="cannot be opened") as refused:
        open_bucket(url)
    assert "or a folder" in refused.value.mend


def test_a_bucket_that_cannot_be_read_is_a_sentence(tmp_path: Path, folder: Path) -> None:
    bucket = open_bucket(str(tmp_path / "bucket"), make=True)
    (tmp_path / "bucket" / LATEST).symlink_to(LATEST)  # a loop: the disk answers with an error
    for use in (lambda: manifest(bucket), lambda: publish(bucket, folder, paths(folder), ABOUT)):
        with pytest.raises(Mendable, match="bucket"):
            use()
