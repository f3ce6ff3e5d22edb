"""Every file that is read, hostile: the row is left out and named, or a message says what is wrong; nothing else."""

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile import Target, storm
from obstore.store import LocalStore
from reliability import Tally
from sync_world import RULES, judgments, make_workspace
from task_server import World

from label_configs import rules as rules_file
from label_configs.records import Item, Query
from ml_backend.index import layout as index
from store import gold, json_array, known, pools, settings, settings_file, taking
from store.corpus import Read, items, queries
from store.judgments import Table
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import Project
from store.workspace import Workspace
from sync import export_file
from sync.bucket import layout
from sync.bucket.check import verify

FEW, MANY = 40, 4_000
ROWS: list[dict[str, Any]] = [
    {"_id": "d1", "title": "Owl", "text": "An owl, or “Uhu”; naïve.", "metadata": {"lang": "en", "width": 640}},
    {"_id": "d2", "image": "media/owl.png", "text": "a\tb", "positives": ["d1"]},
    {"_id": 3, "video": "film.mp4", "start": 1.5, "end": 3, "domain": "birds"},
    {"_id": "d4", "audio": "https://cdn.example/owl.wav?x=1", "granularity": "instance"},
]
HEADER = ["_id", "title", "text", "image", "start", "end", "positives", "metadata", "metadata.lang"]
TABLE = [
    HEADER,
    ["d1", "Owl", '"An owl, ""Uhu"""', "", "", "", "d2", '"{""a"": 1}"', "en"],
    ["d2", "", "", "media/owl.png", "", "", '"[""d1"", ""d3""]"', "", ""],
    ["d3", "", "", "film.mp4", "1.5", "3", "", "", "de"],
]
KNOWN_QUERIES = {q: Query(query_id=q, text=f"text of {q}") for q in ("q1", "q2")}
KNOWN_ITEMS = {d: Item(doc_id=d, text=f"text of {d}") for d in ("d1", "d2")}
SETTINGS = (
    settings.starter() + '\n[projects.main]\nid = 7\nquery = "text"\ncandidates = "image"\n[gates]\nalpha = 0.5\n'
)


def lines(*rows: object) -> bytes:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, **options)
    return out.getvalue()


def tar(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name.replace("__", "."))
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def sound(read: Read[Any]) -> None:
    """What was read can be written again."""
    for record in read.records:
        msgspec.json.encode(record)


def corpus(path: Path) -> None:
    sound(items(path, 1.0))
    sound(queries(path, 1.0))


def shards(path: Path) -> None:
    found = items(path.parent, 1.0)
    sound(found)
    media = Media(path.parent.parent, MediaSettings())
    media.missing(found.records)


def taken(source: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        folder = path.parent.parent if source == "beir" else path
        for _, row in taking.SOURCES[source].read(folder, KNOWN_QUERIES, KNOWN_ITEMS):
            str(row)

    return read


def rules(path: Path) -> None:
    found = Workspace(path.parent).rules
    found.guideline()
    assert found.hash


def export(path: Path) -> None:
    with tempfile.TemporaryDirectory() as away:
        table = Table(Path(away) / "7")
        export_file.pull(path, Project(id=7, candidates="text"), table, {RULES.hash: RULES}.get, "key")
        table.current()


def stretches(path: Path) -> None:
    for some in json_array.read(path, stretch=50):
        list(map(bytes, some))


def bucket(path: Path) -> None:
    root = next(folder for folder in path.parents if folder.name == "bucket")
    there = LocalStore(root)
    verify(there)
    layout.manifest(there, layout.current(there))
    layout.newest(there)
    layout.history(there)


def change(path: Path) -> None:
    settings_file.change(path, {"pool": {"size": 9}, "media": {"max_bytes": None}})


def exported() -> bytes:
    world = World()
    for n, values in enumerate(("310", "", "222")):
        world.annotate(world.add(f"q{n}"), values)
    return json.dumps(world.export()).encode()


def parts(*rows: dict[str, Any]) -> bytes:
    """A part of the judgments as the table writes it."""
    with tempfile.TemporaryDirectory() as away:
        table = Table(Path(away) / "7")
        table.append(judgments(), {})
        return next(table.folder.glob("*.parquet")).read_bytes()


def pool_part() -> bytes:
    with tempfile.TemporaryDirectory() as away:
        return next(make_workspace(Path(away), candidates="text").pools.glob("*.parquet")).read_bytes()


def table(path: Path) -> None:
    there = Table(path.parent)
    there.known()
    there.current()


def publication() -> dict[str, Any]:
    return {"number": 1, "version": "0" * 16, "manifest": f"versions/{'0' * 16}/manifest.json", "state": {"7": "x"}}


MANIFEST = {"files": {"qrels.txt": {"part": "parts/aa.txt", "sha256": "aa", "bytes": 3, "rows": 1}}, "rules": "x"}
TARGETS: Mapping[str, Callable[[], Target]] = {
    "corpus as JSON lines": lambda: Target("corpus.jsonl", [lines(*ROWS)], corpus),
    "corpus as CSV": lambda: Target("corpus.csv", [lines(*(",".join(row) for row in TABLE))], corpus),
    "corpus as TSV": lambda: Target("corpus.tsv", [lines(*("\t".join(row) for row in TABLE))], corpus),
    "corpus as Parquet": lambda: Target(
        "corpus.parquet",
        [parquet(ROWS[:1]), parquet([{"_id": "a", "image": {"bytes": b"x", "path": "a.png"}}, {"_id": "b"}])],
        corpus,
    ),
    "corpus as an export": lambda: Target(
        "corpus.label-studio.json",
        [json.dumps([{"id": n, "data": row} for n, row in enumerate(ROWS)]).encode()],
        corpus,
    ),
    "corpus as shards": lambda: Target(
        "corpus/0001.tar", [tar(a__png=b"x" * 20, a__txt=b"An owl", a__json=b'{"lang": "en"}', b__wav=b"y")], shards
    ),
    "judgments as BEIR": lambda: Target(
        "qrels/test.tsv", [lines("query-id\tcorpus-id\tscore", "q1\td1\t1", "q2\td2\t0")], taken("beir")
    ),
    "judgments as TREC": lambda: Target("x.qrels", [lines("q1 0 d1 3", "q2 0 d2 0")], taken("trec")),
    "ids of TREC": lambda: Target("ids.tsv", [lines('q_1\t"q 1"', 'd_1\t"d 1"')], lambda path: ids_of(path)),
    "triplets as JSON lines": lambda: Target(
        "t.jsonl",
        [lines({"query_id": "q1", "positive_id": "d1"}, {"anchor": "text of q1", "positive": "text of d1"})],
        taken("triplets"),
    ),
    "triplets as CSV": lambda: Target(
        "t.csv", [lines("query,positive,negative", "text of q1,text of d1,x")], taken("triplets")
    ),
    "triplets as Parquet": lambda: Target(
        "t.parquet", [parquet([{"anchor": "text of q1", "positive": "text of d1"}])], taken("triplets")
    ),
    "rules.yaml": lambda: Target("rules.yaml", [text.encode() for text in rules_file.presets().values()], rules),
    "settings.toml": lambda: Target("settings.toml", [SETTINGS.encode()], settings.load),
    "settings.toml, to change": lambda: Target("settings.toml", [SETTINGS.encode()], change),
    "gold.tsv": lambda: Target(
        "gold.tsv", [lines("query_id\tdoc_id\tgrade\torigin", "q1\td1\t3\thand")], lambda path: gold.load(path, RULES)
    ),
    "known.tsv": lambda: Target(
        "known.tsv", [lines("query_id\tdoc_id\tgrade", "q1\td1\t3")], lambda path: known.read(path, RULES)
    ),
    "export of Label Studio": lambda: Target("export.json", [exported()], export),
    "JSON array": lambda: Target("array.json", [exported(), lines(*ROWS)], stretches),
    "part of the pools": lambda: Target("0001-000000-a.parquet", [pool_part()], lambda path: pools.load(path.parent)),
    "part of the judgments": lambda: Target("000001-000001.parquet", [parts()], table),
    "bookmark of the judgments": lambda: Target(
        "state.json", [b'{"updated_at": "x"}'], lambda p: Table(p.parent).cursor()
    ),
    "latest.json of a bucket": lambda: Target("bucket/latest.json", [layout.encode(publication())], bucket),
    "history of a bucket": lambda: Target("bucket/history/000000001.json", [layout.encode(publication())], bucket),
    "manifest of a bucket": lambda: Target("bucket/manifest.json", [layout.encode(MANIFEST)], manifest),
    "list of indexes": lambda: Target(
        "current.json",
        [json.dumps({"clip": {"fingerprint": "f", "main": "m", "version": "v"}}).encode()],
        lambda path: [index.current(path.parent), index.leftovers(path.parent)],
    ),
}


def ids_of(path: Path) -> None:
    qrels = path.with_name("x.qrels")
    qrels.write_text("q_1 0 d_1 3\n")
    try:
        taken("trec")(qrels)
    finally:
        qrels.unlink()


def manifest(path: Path) -> None:
    """A manifest that somebody made, and gave the name that it must have."""
    content = path.read_bytes()
    with tempfile.TemporaryDirectory() as away:
        there, version = LocalStore(away), hashlib.sha256(content).hexdigest()[:16]
        named = layout.Publication(1, version, layout.manifest_place(version), {})
        for place in (layout.LATEST, layout.history_place(1)):
            there.put(place, layout.latest(named))
        there.put(named.manifest, content)
        verify(there)
        layout.manifest(there, layout.current(there))


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", TARGETS)
def test_whatever_a_file_holds_it_is_read_or_named(name: str, count: int, tmp_path: Path, tally: Tally) -> None:
    assert storm(TARGETS[name](), tmp_path / "here", count, tally) == []
