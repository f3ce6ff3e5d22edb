"""What holds of every format, whatever its files look like: a rule each, asked of all of them."""

import csv
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from formats_world import MEDIUM, READERS, UNJUDGED, UNTRAINED, VOTES, WHY, Seen, everything
from media_world import with_export
from sync_world import RULES

from label_configs.records import Item, Query
from store.media import Media
from sync.dataset import Dataset
from sync.formats import FORMATS, write

JUDGED = {(q, d) for q, of in VOTES.items() for d in of}
GRADE = {(q, d): Counter(votes).most_common(1)[0][0] for q, of in VOTES.items() for d, votes in of.items()}
RAW = {"judgments"}
"""Every answer as it was given, with the roles that tell what it is for: no data for training."""
EVALUATES = {"trec", "beir", "mteb", "svmlight", "moments", "grounding", "dissonance", "karpathy"}
"""Formats that hold the test split too."""
PLAIN = sorted(FORMATS.keys() - RAW - {"dissonance"})
WEIGHTED = (
    "scored-pairs",
    "flagembedding",
    "openclip-csv",
    "openclip-wds",
    "wds-negatives",
    "karpathy",
    "interleaved",
    "clip-text",
    "vlm2vec",
    "grounding",
    "svmlight",
)
NO_REASONS = {"trec", "beir", "mteb", "moments"}
"""A grade alone fits into a line of qrels; the moment form asks for no reasons."""
NEEDS_A_POSITIVE = {
    "pairs",
    "triplets",
    "ntuples",
    "openclip-csv",
    "openclip-wds",
    "wds-negatives",
    "karpathy",
    "interleaved",
    "colpali",
    "vlm2vec",
    "flagembedding",
    "tevatron",
    "preferences",
    "dissonance",
}
"""Their rows are made of a positive, or of two grades that differ: a query that nothing matches has none."""
Worlds = Callable[[str], Dataset]
Written = Callable[[str], Path]
Held = Callable[[str], list[Seen]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    """The world of a format; those of one medium share it."""
    found = {medium: everything(tmp_path_factory.mktemp(medium), medium) for medium in ("image", *MEDIUM.values())}
    return lambda name: found[MEDIUM.get(name, "image")]


@pytest.fixture(scope="module")
def written(worlds: Worlds, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The folder of a format, with its card; each is written once."""

    @cache
    def made(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "out"
        write(name, worlds(name), folder)
        return folder

    return made


@pytest.fixture(scope="module")
def held(written: Written) -> Held:
    """What a format's files say of the world's pairs."""
    return cache(lambda name: list(READERS[name](written(name))))


def test_every_format_is_asked() -> None:
    assert READERS.keys() == FORMATS.keys()
    assert NEEDS_A_POSITIVE | NO_REASONS | RAW | EVALUATES | set(WEIGHTED) <= FORMATS.keys()


@pytest.mark.parametrize("name", FORMATS)
def test_what_nobody_judged_is_in_no_pair(held: Held, name: str) -> None:
    pairs = {(s.query_id, s.doc_id) for s in held(name) if s.doc_id}
    assert pairs
    assert pairs <= JUDGED
    assert not {d for _, d in pairs} & set(UNJUDGED)


@pytest.mark.parametrize("name", FORMATS)
def test_a_negative_is_what_people_called_negative_and_a_positive_what_they_called_positive(
    held: Held, name: str
) -> None:
    for seen in held(name):
        if seen.role != "graded":
            side = RULES.positive if seen.role == "positive" else RULES.negative
            grade = int(GRADE[seen.query_id, seen.doc_id])
            assert grade in side or (name == "moments" and seen.role == "negative"), seen  # seen nowhere in the film
            assert seen.grade in (None, grade)


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"moments"}))
def test_a_grade_that_is_neither_is_in_no_pair(held: Held, name: str) -> None:
    assert {s.role for s in held(name) if s.doc_id == "middling"} <= {"graded"}


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - RAW))
def test_gold_draws_and_what_answers_the_test_split_reach_no_training(held: Held, name: str) -> None:
    trained = {(s.query_id, s.doc_id) for s in held(name) if s.split != "test"}
    assert {q for q, _ in trained} <= {"train", "none"}
    assert not {d for _, d in trained} & UNTRAINED


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_meant_in_another_sense_is_apart(held: Held, name: str) -> None:
    if name not in {"trec", "moments"}:  # the one evaluates, the other asks where and not in which sense
        assert "figurative" not in {s.doc_id for s in held(name)}
    assert {s.doc_id for s in held("dissonance")} == {"figurative"}


@pytest.mark.parametrize("name", sorted(EVALUATES - {"dissonance"}))
def test_an_evaluation_has_its_own_split(held: Held, name: str) -> None:
    assert "held" in {s.doc_id for s in held(name) if s.split == "test"}


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - NEEDS_A_POSITIVE))
def test_a_query_that_nothing_matches_stays(held: Held, name: str) -> None:
    assert "none" in {s.query_id for s in held(name)}
    assert not {s.doc_id for s in held(name) if s.query_id == "none" and s.role == "positive"}


@pytest.mark.parametrize("name", sorted({"trec", "beir", "mteb", "scored-pairs", "labeled-lists", "svmlight"}))
def test_a_zero_is_a_grade_and_grades_keep_their_scale(held: Held, name: str) -> None:
    grades = {(s.query_id, s.doc_id): s.grade for s in held(name)}
    assert grades["train", "wrong"] == 0
    assert {d: grades["train", d] for d in ("strong", "weak", "middling")} == {"strong": 3, "weak": 2, "middling": 1}


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_weight_lies_between_the_grades_that_annotators_gave(held: Held, name: str) -> None:
    weights = {s.doc_id: s.weight for s in held(name) if s.query_id == "train" and s.role != "negative"}
    strong, torn, weak = (weights[d] for d in ("strong", "torn", "weak"))
    assert strong is not None
    assert torn is not None
    assert weak is not None
    assert 1 >= strong > torn > weak > 0


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - NO_REASONS - {"dissonance"}))
def test_reasons_travel(held: Held, name: str) -> None:
    why = {(s.query_id, s.doc_id): s.reasons for s in held(name) if s.reasons is not None}
    assert why["train", "strong"] == set(WHY["strong"])
    assert why["train", "weak"] == set()


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"trec", "beir", "mteb"}))
def test_every_row_says_under_which_rules_it_was_judged(written: Written, name: str) -> None:
    files = [path for path in written(name).rglob("*") if path.is_file() and path.name != "README.md"]
    contents = [path.read_bytes() for path in files]
    assert any(RULES.hash.encode() in content for content in contents)


# media, and whose they are


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"flagembedding"}))
def test_licences_and_attributions_go_with_every_format(written: Written, held: Held, name: str) -> None:
    assert "license: cc-by-4.0" in (written(name) / "README.md").read_text("utf-8")
    with (written(name) / "ATTRIBUTION.tsv").open(encoding="utf-8", newline="") as file:
        credit = {row["doc_id"]: (row["licence"], row["attribution"]) for row in csv.DictReader(file, delimiter="\t")}
    assert credit["strong"] == ("CC-BY-4.0", "who made strong")
    assert ("unjudged" in credit) == FORMATS[name].whole
    assert {s.doc_id for s in held(name) if s.doc_id} <= credit.keys()


BESIDE = ("openclip-csv", "karpathy", "interleaved", "clip-text", "moments", "grounding", "dissonance", "vlm2vec")
"""Formats that copy media into a folder beside."""


@pytest.mark.parametrize("name", BESIDE)
def test_a_medium_is_read_and_hashed_once_however_many_rows_show_it(
    worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = replace(worlds(name))  # nothing of it is known yet
    assert data.twins == {}  # which looks for copies among files of one size
    reads: Counter[str] = Counter()
    read = Media.read

    def counted(media: Media, record: Item | Query) -> bytes:
        reads[record.uri] += 1
        return read(media, record)

    monkeypatch.setattr(Media, "read", counted)
    FORMATS[name].write(data, tmp_path / "out")
    assert set(reads.values()) == {1}
    assert len(list((tmp_path / "out" / "media").iterdir())) == len(reads)


@pytest.mark.parametrize("name", [*BESIDE, "pairs", "triplets", "mteb", "tevatron", "colpali"])
def test_by_reference_the_corpus_own_uris_stand_there_and_nothing_is_copied(
    worlds: Worlds, tmp_path: Path, name: str
) -> None:
    data = with_export(worlds(name), media="reference")
    FORMATS[name].write(data, tmp_path / "out")
    assert not (tmp_path / "out" / "media").exists()
    uri = data.items["figurative" if name == "dissonance" else "strong"].uri.rpartition("/")[2].encode()
    assert any(uri in path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())


# determinism

ALONE = """
import sys
from pathlib import Path
import pyarrow as pa
pa.set_cpu_count(int(sys.argv[2])); pa.set_io_thread_count(int(sys.argv[2]))
from formats_world import MEDIUM, everything
from sync.formats import FORMATS, write
root = Path(sys.argv[1])
worlds = {medium: everything(root / medium, medium) for medium in ("image", *MEDIUM.values())}
for name in FORMATS:
    write(name, worlds[MEDIUM.get(name, "image")], root / "out" / name)
"""


def test_the_same_bytes_come_from_any_number_of_threads_and_any_seed_of_hashes(tmp_path: Path) -> None:
    folder = Path(__file__).parent
    runs = []
    for threads in ("1", "4"):
        root = tmp_path / threads
        seeds = {"PYTHONHASHSEED": threads, "OMP_NUM_THREADS": threads, "PYTHONPATH": f"{folder}:{folder.parent}"}
        command = [sys.executable, "-c", ALONE, str(root), threads]
        runs.append((root / "out", subprocess.Popen(command, env={**os.environ, **seeds})))
    assert [process.wait() for _, process in runs] == [0, 0]
    one, other = ({p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} for out, _ in runs)
    assert one == other
    assert {path.parts[0] for path in one} == FORMATS.keys()
