"""Index and pools of a workspace, put together as the commands do it."""

import json
import tarfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tiny

from label_configs.errors import Mendable, Unreadable
from label_configs.forms.answers import BETTER
from label_configs.records import Judgment, Query
from ls_retrieval import compose
from ls_retrieval.compose import Made
from ml_backend import pooling
from ml_backend.pooling import Proposed
from store import pools, settings
from store.judgments import Table
from store.media import Media
from store.settings import Project
from store.workspace import Workspace

WORDS = {f"word-{n}": f"a text about thing {n}" for n in range(12)}


def add(path: Path, *rows: Mapping[str, object]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def workspace(tiny_workspace: Workspace) -> Workspace:
    """24 pictures, six text queries, and the project `main`, which asks for pictures by text."""
    settings.add_project(tiny_workspace.settings_path, "main", Project(id=1, query="text", candidates="image"))
    return tiny_workspace


def shown(workspace: Workspace) -> dict[str, set[str]]:
    """Modalities of the candidates by query."""
    modality = {item.doc_id: item.modality for item in workspace.read_items().records}
    found: dict[str, set[str]] = {}
    for pool in pools.load(workspace.pools).values():
        found.setdefault(pool.query_id, set()).update(modality[c.doc_id] for c in pool.candidates)
    return found


def counts(made: Made) -> tuple[int, int, list[str]]:
    return made.made, made.there, made.left_out


def test_pools_are_made_once(workspace: Workspace) -> None:
    assert counts(compose.make_pools(workspace, "main")) == (6, 0, [])
    assert compose.make_pools(workspace, "main") == Made(0, 6, [], {})


def test_a_dry_run_says_what_pools_would_be_made_of_and_writes_nothing(workspace: Workspace) -> None:
    would = compose.make_pools(workspace, "main", dry_run=True)
    assert not workspace.pools.exists()
    assert compose.make_pools(workspace, "main") == would
    shown = [c for pool in pools.load(workspace.pools).values() for c in pool.candidates]
    assert Counter((c.role, c.source) for c in shown) == {k: n for k, n in would.makeup.items() if k[0] != "folded"}


def test_who_is_stopped_goes_on_where_the_last_whole_part_ended(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, asked = pooling.build, []

    def stops(query: Query, *given: Any, **named: Any) -> Proposed:
        asked.append(query.query_id)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return build(query, *given, **named)

    monkeypatch.setattr(compose, "_PART", 2)
    monkeypatch.setattr(pooling, "build", stops)
    with pytest.raises(KeyboardInterrupt):
        compose.make_pools(workspace, "main")
    assert counts(compose.make_pools(workspace, "main")) == (4, 2, [])
    assert len(pools.load(workspace.pools)) == 6
    assert {hit.query_id for hit in pools.run(workspace.pools)} == set(asked)


def test_a_top_up_makes_pools_of_what_the_corpus_has_gained_and_of_new_queries(workspace: Workspace) -> None:
    compose.make_pools(workspace, "main")
    assert counts(compose.make_pools(workspace, "main", top_up=True)) == (0, 6, [])
    tiny.draw(workspace.root / "media" / "new.png", "crimson", "square")
    add(workspace.corpus, {"_id": "new", "title": "red crimson square", "image": "media/new.png"})
    add(workspace.queries, {"_id": "q-new", "text": "a crimson thing"})
    compose.index(workspace)
    made = compose.make_pools(workspace, "main", top_up=True)
    assert made.there == 6
    later = [pool for pool in pools.load(workspace.pools).values() if pool.round == 2]
    assert made.made == len(later) + 1
    assert "q-red" in {pool.query_id for pool in later}
    assert {c.doc_id for pool in later for c in pool.candidates} == {"new"}
    assert counts(compose.make_pools(workspace, "main", top_up=True)) == (0, 7, [])


def test_a_project_gets_queries_and_candidates_of_its_own_modalities(workspace: Workspace) -> None:
    settings.add_project(workspace.settings_path, "texts", Project(id=2, query="image", candidates="text"))
    add(workspace.corpus, *({"_id": doc_id, "text": text} for doc_id, text in WORDS.items()))
    add(workspace.queries, {"_id": "picture", "image": "media/red-bar.png"})
    compose.index(workspace)
    assert compose.make_pools(workspace, "main").made == 6
    assert shown(workspace) == {f"q-{c}": {"image"} for c in ("red", "green", "blue", "orange", "purple", "black")}
    assert counts(compose.make_pools(workspace, "texts")) == (1, 0, [])
    assert shown(workspace)["picture"] == {"text"}


def test_two_projects_ask_the_same_queries_for_different_things(workspace: Workspace) -> None:
    settings.add_project(workspace.settings_path, "texts", Project(id=2, query="text", candidates="text"))
    add(workspace.corpus, *({"_id": doc_id, "text": text} for doc_id, text in WORDS.items()))
    compose.index(workspace)
    assert [compose.make_pools(workspace, name).made for name in ("main", "texts", "main", "texts")] == [6, 6, 0, 0]
    assert shown(workspace)["q-red"] == {"image", "text"}


def test_a_modality_that_nothing_has_is_named(workspace: Workspace) -> None:
    for name, project in (("heard", Project(id=2, query="audio")), ("read", Project(id=3, candidates="text"))):
        settings.add_project(workspace.settings_path, name, project)
    with pytest.raises(Mendable, match="no queries of modality audio"):
        compose.make_pools(workspace, "heard")
    with pytest.raises(Mendable, match="no item of modality text"):
        compose.make_pools(workspace, "read")


def test_a_query_that_cannot_be_read_is_named_and_stops_no_other(workspace: Workspace) -> None:
    settings.add_project(workspace.settings_path, "alike", Project(id=2, query="image"))
    (workspace.root / "media" / "torn.png").write_bytes(b"torn")
    media = {"fine": "media/red-bar.png", "gone": "media/gone.png", "torn": "media/torn.png"}
    add(workspace.queries, *({"_id": name, "image": uri} for name, uri in media.items()))
    made = compose.make_pools(workspace, "alike")
    assert made.made == 1
    assert [sentence.partition(":")[0] for sentence in made.left_out] == ["gone", "torn"]
    assert "Put it there" in made.left_out[0]
    assert "ls-retrieval index" in made.left_out[1]
    again = compose.make_pools(workspace, "alike")
    assert (again.made, again.there, again.left_out) == (0, 1, made.left_out)


def test_where_no_query_can_be_read_that_is_an_error(workspace: Workspace) -> None:
    workspace.queries.write_text('{"_id": "q", "text": "never indexed"}\n')
    with pytest.raises(Mendable, match="No query") as failed:
        compose.make_pools(workspace, "main")
    assert "ls-retrieval index" in failed.value.problems[0]


def said(annotation: int, query_id: str, *texts: str) -> list[Judgment]:
    """What `pull` reads of an annotation whose box for a better match was filled."""
    blank: dict[str, Any] = {"project": 1, "task_id": 1, "updated_at": "t", "annotator": "ada", "form": "graded"}
    blank |= {"kind": "flag", "doc_id": "", "rules_hash": "r", "pool_id": "p", "round": 1, "position": -1}
    flags = [Judgment(**blank, annotation_id=annotation, query_id=query_id, value=BETTER, note=text) for text in texts]
    other = Judgment(**blank, annotation_id=annotation, query_id=query_id, value="ambiguous", note="no match")
    return [*flags, other]


def test_a_top_up_takes_up_what_annotators_know_to_match_better_once(workspace: Workspace) -> None:
    compose.make_pools(workspace, "main")
    table, before = Table(workspace.judgments / "1"), pools.load(workspace.pools)
    first = next(pool for pool in before.values() if pool.query_id == "q-red")
    shown = {c.doc_id for c in (*first.candidates, *first.folded)}
    named = min(doc_id for doc_id in (f"{c}-{s}" for c in tiny.COLOURS for s in tiny.SHAPES) if doc_id not in shown)
    table.append(said(1, "q-red", f"  {named}\n", "a wide\norange bar", " "), table.known())
    assert compose.make_pools(workspace, "main", top_up=True, dry_run=True).made == 1
    made = compose.make_pools(workspace, "main", top_up=True)
    assert counts(made) == (1, 6, [])
    assert set(made.makeup) == {("candidate", "better-match")}
    (second,) = [pool for pool_id, pool in pools.load(workspace.pools).items() if pool_id not in before]
    assert (second.query_id, second.round, len(second.candidates)) == ("q-red", 2, 8)
    assert not shown & {c.doc_id for c in second.candidates}
    assert {c.reason for c in second.candidates} == {named, "a wide orange bar"}
    assert next(c.reason for c in second.candidates if c.doc_id == named) == named  # whoever is named by id is there
    assert compose.make_pools(workspace, "main", top_up=True).made == 0
    table.append(said(2, "q-red", "a wide orange bar", "something black"), table.known())
    assert compose.make_pools(workspace, "main", top_up=True).made == 1
    third = next(pool for pool in pools.load(workspace.pools).values() if pool.round == 3)
    assert {c.reason for c in third.candidates} == {"something black"}


def test_a_better_match_that_was_deleted_or_is_of_another_project_makes_no_round(workspace: Workspace) -> None:
    compose.make_pools(workspace, "main")
    table = Table(workspace.judgments / "1")
    table.append(said(1, "q-red", "a wide bar"), table.known())
    table.append(said(1, "q-red", "a wide bar")[:1], table.known(), deleted=True)
    other = Table(workspace.judgments / "2")
    other.append(said(1, "q-red", "a wide bar"), other.known())
    assert compose.make_pools(workspace, "main", top_up=True).made == 0


def test_a_better_match_and_what_the_corpus_has_gained_share_a_round(workspace: Workspace) -> None:
    compose.make_pools(workspace, "main")
    tiny.draw(workspace.root / "media" / "new.png", "crimson", "square")
    add(workspace.corpus, {"_id": "new", "title": "red crimson square", "image": "media/new.png"})
    compose.index(workspace)
    table = Table(workspace.judgments / "1")
    table.append(said(1, "q-red", "something black"), table.known())
    compose.make_pools(workspace, "main", top_up=True)
    (second,) = [pool for pool in pools.load(workspace.pools).values() if pool.query_id == "q-red" and pool.round == 2]
    assert {c.source == "better-match" for c in second.candidates} == {True, False}
    assert [c.source != "better-match" for c in second.candidates if c.doc_id == "new"] == [True]
    assert compose.make_pools(workspace, "main", top_up=True).made == 0


def test_a_query_of_a_modality_that_the_model_cannot_read_says_what_it_can(workspace: Workspace) -> None:
    settings.add_project(workspace.settings_path, "heard", Project(id=2, query="audio"))
    (workspace.root / "media" / "hum.wav").write_bytes(b"hum")
    add(workspace.queries, {"_id": "hum", "audio": "media/hum.wav"})
    with pytest.raises(Mendable) as failed:
        compose.make_pools(workspace, "heard")
    assert failed.value.what == "No encoder reads both audio queries and image candidates."
    assert failed.value.problems == ("clip reads image and text",)
    sentence = "The model reads image and text, not audio. Give image or text in its place, or leave it out."
    assert compose.index(workspace) == [f"hum (media/hum.wav): {sentence}"]


def test_a_proposer_that_there_is_not_stops_the_command(workspace: Workspace) -> None:
    text = workspace.settings_path.read_text().replace("[pool]", '[pool]\nproposers = ["dense", "bm25"]')
    workspace.settings_path.write_text(text)
    with pytest.raises(Mendable, match="no proposer 'bm25'"):
        compose.make_pools(workspace, "main")


def test_positives_that_are_no_items_are_all_named_before_anything_is_done(workspace: Workspace) -> None:
    add(
        workspace.queries,
        {"_id": "a", "text": "a", "positives": ["red-square", "red-sqare"]},
        {"_id": "b", "text": "b", "positives": ["d99", 7]},
    )
    for command in (compose.index, lambda workspace: compose.make_pools(workspace, "main")):
        with pytest.raises(Unreadable, match=r"queries\.jsonl cannot be used: 3 problems") as refused:
            command(workspace)
        assert refused.value.problems == (
            "query 'a': its positive 'red-sqare' is not in the corpus",
            "query 'b': its positive 'd99' is not in the corpus",
            "query 'b': its positive '7' is not in the corpus",
        )
        assert "Correct these ids" in refused.value.mend
    assert not workspace.pools.exists()


def test_a_broken_picture_is_named_with_its_path_the_reason_and_how_to_mend_it(workspace: Workspace) -> None:
    whole = (workspace.root / "media" / "red-bar.png").read_bytes()
    (workspace.root / "media" / "half.png").write_bytes(whole[: len(whole) // 2])
    (workspace.root / "media" / "text.png").write_text("no picture at all")
    add(workspace.corpus, *({"_id": name, "image": f"media/{name}.png"} for name in ("half", "text")))
    half, text = compose.index(workspace)
    assert half.startswith("half (media/half.png): The picture is no picture that can be read: ")
    assert text.startswith("text (media/text.png): The picture is no picture that can be read: ")
    for sentence in (half, text):
        assert sentence.endswith("Replace or leave it out.")
        assert " at 0x" not in sentence


def test_broken_rows_are_named_by_index_and_the_rest_goes_on(workspace: Workspace) -> None:
    with workspace.settings_path.open("a") as file:
        file.write("[corpus]\nmax_broken = 0.2\n")
    add(workspace.corpus, {"_id": "red-bar", "text": "again"}, {"text": "no id"})
    add(workspace.queries, {"_id": "blank", "text": " "}, {"_id": "q", "text": "x", "positives": ["red-bar", "gone"]})
    assert compose.index(workspace) == [
        "corpus.jsonl, line 25: doc_id 'red-bar' stands in corpus.jsonl, line 3 already",
        "corpus.jsonl, line 26: the row has no _id",
        "queries.jsonl, line 7: query 'blank' is empty",
        "query 'q': its positive 'gone' is not in the corpus",
    ]
    assert compose.make_pools(workspace, "main").made == 7


def test_a_corpus_in_shards_is_indexed_pooled_and_shown_without_being_unpacked(workspace: Workspace) -> None:
    workspace.corpus.unlink()
    (workspace.root / "corpus").mkdir()
    with tarfile.open(workspace.root / "corpus" / "0001.tar", "w") as shard:
        for path in sorted((workspace.root / "media").glob("*.png")):
            shard.add(path, path.name)
            path.unlink()
    assert compose.index(workspace) == []
    assert compose.make_pools(workspace, "main").made == 6
    [item] = [item for item in workspace.read_items().records if item.doc_id == "red-bar"]
    assert item.uri == "corpus/0001.tar#red-bar.png"
    shown = Media(workspace.root, workspace.settings.media).shown(item)
    assert (workspace.root / shown.partition("?d=")[2]).is_file()


def test_where_too_many_pictures_are_broken_the_index_stays_as_it_was(workspace: Workspace) -> None:
    compose.index(workspace)
    before = (workspace.index / "current.json").read_bytes()
    pictures = [item.uri for item in workspace.read_items().records if item.modality == "image"]
    for uri in pictures[: len(pictures) // 2]:
        (workspace.root / uri).write_bytes(b"torn")
    with pytest.raises(Unreadable, match="cannot be encoded; the index stays as it was") as told:
        compose.index(workspace)
    assert len(told.value.problems) == len(pictures) // 2
    assert (workspace.index / "current.json").read_bytes() == before
    settings = workspace.settings_path
    settings.write_text(settings.read_text() + "\n[media]\nmax_broken = 0.6\n")
    assert len(compose.index(workspace)) == len(pictures) // 2
