"""Splits: stable while data grow, and nothing of an evaluation in training."""

from dataclasses import replace
from pathlib import Path

import pytest
from sync_world import QUERIES, RULES, grade, make_workspace, pool
from typer.testing import CliRunner

from label_configs.errors import Unreadable
from label_configs.records import Candidate, Item, Query
from ls_retrieval.cli import app
from store.settings import Splits
from sync import splits
from sync.dataset import Dataset, load
from sync.report import summary
from sync.splits import Frozen, Leak, counted, held, split, twins


def asked(text: str, query_id: str = "") -> Query:
    return Query(query_id=query_id or text, text=text)


def test_shares_of_nothing_and_of_all_are_exact() -> None:
    queries = [asked(f"q{n}") for n in range(200)]
    assert {split(query, Splits(dev=0, test=0)) for query in queries} == {"train"}
    assert {split(query, Splits(dev=0, test=1)) for query in queries} == {"test"}


def test_splits_are_near_their_shares_and_stay() -> None:
    names = [split(asked(f"q{n}"), Splits(dev=0.1, test=0.2)) for n in range(5000)]
    assert [names.count(name) / 5000 for name in ("train", "dev", "test")] == pytest.approx([0.7, 0.1, 0.2], abs=0.02)
    assert " ".join(names[:8]) == "train test train test dev dev train test"  # sha256 of "split\0q0" is eccd…


def test_a_larger_dev_share_takes_queries_from_train_alone() -> None:
    queries = [asked(f"q{n}") for n in range(500)]
    moves = {(split(n, Splits(dev=0.1, test=0.2)), split(n, Splits(dev=0.3, test=0.2))) for n in queries}
    assert moves == {("train", "train"), ("train", "dev"), ("dev", "dev"), ("test", "test")}


def test_the_same_question_under_two_ids_is_in_one_split() -> None:
    for n in range(200):
        one, other = asked(f"An  Owl {n}", "a"), asked(f"an owl {n}", "b")
        assert split(one, Splits()) == split(other, Splits())
    pictures = [Query(query_id=f"p{n}", modality="image", uri="same.jpg") for n in range(200)]
    assert len({split(picture, Splits()) for picture in pictures}) == 3


def test_a_frozen_test_split_holds_what_it_names_and_no_others() -> None:
    queries = [asked(f"q{n}") for n in range(2000)]
    frozen = Frozen(frozenset({"q0", "q7"}))
    names = {query.query_id: split(query, Splits(dev=0.1, test=0.2), frozen) for query in queries}
    assert {query_id for query_id, name in names.items() if name == "test"} == {"q0", "q7"}
    assert list(names.values()).count("dev") / 2000 == pytest.approx(0.1 / 0.8, abs=0.03)


def test_freezing_moves_no_query_between_dev_and_train() -> None:
    queries = [asked(f"q{n}") for n in range(500)]
    moves = {(split(n, Splits()), split(n, Splits(), Frozen(frozenset()))) for n in queries}
    assert moves == {("train", "train"), ("dev", "dev"), ("test", "dev"), ("test", "train")}


# twins


def test_items_look_the_same_by_their_content_and_by_what_pools_folded() -> None:
    items = {
        "a": Item(doc_id="a", modality="image", uri="1.jpg"),
        "b": Item(doc_id="b", modality="image", uri="1.jpg", title="another name"),
        "c": Item(doc_id="c", modality="image", uri="2.jpg"),
        "d": Item(doc_id="d", modality="image", uri="3.jpg"),
        "e": Item(doc_id="e", text="words"),
        "f": Item(doc_id="f", text="words"),
        "g": Item(doc_id="g", modality="video", uri="v.mp4", start=0, end=2),
        "h": Item(doc_id="h", modality="video", uri="v.mp4", start=2, end=4),
    }
    folded = (Candidate(doc_id="c", source="near-duplicate", twin="b"),)
    found = twins(items, [replace(pool("q1", []), folded=folded)])
    assert found == {"a": "a", "b": "a", "c": "a", "e": "e", "f": "e"} or found == {"b": "a", "c": "a", "f": "e"}


def test_texts_that_differ_in_case_or_spacing_alone_look_the_same() -> None:
    items = {d: Item(doc_id=d, text=text) for d, text in {"a": "An  Owl", "b": "an owl\n", "c": "an owl!"}.items()}
    assert twins(items, []) == {"b": "a"}


def test_a_picture_under_two_names_is_one_and_pictures_of_one_size_are_not(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n")
    workspace.frozen.write_text("q1\n")
    more = [grade("q2", "d3", 0, who, annotation_id=20) for who in ("ada", "bob")]
    shown = pool("q2", [("d3", "hard_negative", "dense", 1.0)])
    data = load(workspace, "main")
    data = replace(data, judgments=[*data.judgments, *more], pools=[*data.pools, shown])
    assert Leak("train", "q2", "d3") not in data.leaks
    copy = tmp_path / "other" / "copy.png"
    copy.parent.mkdir()
    copy.write_bytes((tmp_path / "pictures" / "d1.png").read_bytes())  # d1 answers q1, which is test
    data = replace(data, items={**data.items, "d3": replace(data.items["d3"], uri="other/copy.png")})
    assert Leak("train", "q2", "d3") in data.leaks


def test_what_answers_test_is_held_from_dev_and_train_and_what_answers_dev_from_train() -> None:
    by_query = {"t": ["x"], "d": ["y"], "n": ["z"]}
    of = {"t": "test", "d": "dev", "n": "train"}
    found = held(by_query, lambda query_id: of[query_id], {"x": "w"})  # type: ignore[arg-type,return-value]
    assert found == {"train": {"w", "y"}, "dev": {"w"}, "test": frozenset()}


# in a data set


def split_by_hand(data: Dataset, **names: str) -> Dataset:
    """The data set with its queries in these splits: texts are made up until the hash says so."""
    queries = dict(data.queries)
    for query_id, name in names.items():
        for n in range(1000):
            if split(tried := asked(f"{QUERIES[query_id]} {n}", query_id), data.settings.splits) == name:
                queries[query_id] = tried
                break
    return replace(data, queries=queries)


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return load(make_workspace(tmp_path), "main")


def test_an_item_that_answers_a_test_query_is_in_no_row_of_training(data: Dataset) -> None:
    both = split_by_hand(data, q1="test", q2="train")
    assert {q: [r.doc_id for r in rows] for q, rows in both.trainable.items()} == {
        "q1": ["d1", "d2", "d3", "d4"],
        # q2 was judged on d2 and d4, and both answer q1
    }
    assert both.leaks == [Leak("train", "q2", "d2"), Leak("train", "q2", "d4")]
    assert counted(both.leaks) == summary(both)["leaks"] == {"train": 2}


def test_export_and_report_say_how_much_was_kept_from_training(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, settings="[splits]\ndev = 0\ntest = 0\n")
    workspace.frozen.write_text("q1\n")
    here = ["--workspace", str(tmp_path)]
    told = "2 of train: judged pairs whose item, or one that looks the same, answers a query of a later split"
    assert f"Kept from training: {told}.\n" in CliRunner().invoke(app, ["export", *here, "--formats", "trec"]).stderr
    assert "2 of train" in CliRunner().invoke(app, ["report", *here]).stdout
    assert splits.told({}).startswith("none: ")


def test_so_is_what_looks_the_same(data: Dataset) -> None:
    more = [grade("q2", "d3", 0, annotation_id=20), grade("q2", "d3", 0, "bob", annotation_id=21)]
    shown = pool("q2", [("d3", "hard_negative", "dense", 1.0)])
    folded = replace(pool("q3", []), folded=(Candidate(doc_id="d3", source="near-duplicate", twin="d1"),))
    both = split_by_hand(data, q1="test", q2="train")
    both = replace(both, judgments=[*data.judgments, *more], pools=[*data.pools, shown, folded])
    assert Leak("train", "q2", "d3") in both.leaks


def test_within_one_split_nothing_leaks(data: Dataset) -> None:
    assert split_by_hand(data, q1="train", q2="train").leaks == []


def test_what_is_known_to_answer_counts_without_a_judgment(data: Dataset) -> None:
    both = split_by_hand(data, q3="test", q1="train")
    known = replace(both.queries["q3"], positives=("d3",))
    both = replace(both, queries={**both.queries, "q3": known})
    assert [leak.doc_id for leak in both.leaks if leak.query_id == "q1"] == ["d3"]


def test_a_frozen_split_that_names_a_query_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    workspace.frozen.write_text("q1\nq9\n")
    with pytest.raises(Unreadable, match="queries that are not there") as told:
        load(workspace, "main")
    assert told.value.problems == ("q9",)
    workspace.frozen.write_text("q1\n")
    assert load(workspace, "main").split("q1") == "test"


# dissonance


def test_a_positive_that_most_call_figurative_is_no_plain_positive(data: Dataset) -> None:
    def said(*flags: str) -> Dataset:
        given = [grade("q1", "d1", 3, f"a{n}", flags=(flag,) if flag else ()) for n, flag in enumerate(flags)]
        return replace(data, judgments=given)

    assert RULES.dissonance[:2] == ("literal", "figurative")
    assert [r.doc_id for r in said("", "", "figurative").trainable["q1"]] == ["d1"]
    assert said("", "figurative").trainable == {}
    assert said("", "figurative").said["q1", "d1"].readings == {"figurative": 1}
