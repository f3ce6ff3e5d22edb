"""The hidden control of a pool: gold of the file, a known positive, or an item far from the query."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny

from label_configs.errors import Mendable
from label_configs.records import Candidate, Query
from ls_retrieval import compose
from ml_backend import pooling
from ml_backend.collection import Collection
from ml_backend.rounds import prepared
from store import pools, settings
from store.gold import Gold, save
from store.settings import Project, Settings
from store.workspace import Workspace

DOCS = {f"d{n:02}": (math.cos(n / 13), math.sin(n / 13)) for n in range(40)}


@pytest.fixture
def arc(tmp_path: Path) -> Collection:
    """40 items on an arc of 172 degrees, d00 nearest to every query, and the proposers name the nearest ten."""
    return tiny.collection(tmp_path / "arc", DOCS, {"red": (1, 0)})


def chosen(**pool: Any) -> Settings:
    plain = {"reach": 10, "gold_share": 1.0, "near_duplicate": 1.0, "proposers": ("dense",)}
    return Settings.model_validate({"pool": {**plain, **pool}})


def controls(collection: Collection, *positives: str, queries: int = 1, **pool: Any) -> list[Candidate]:
    asked = [Query(query_id=f"q{n}", text="red", positives=positives) for n in range(queries)]
    made = [pooling.build(query, collection, chosen(**pool)).pool for query in asked]
    return [c for one in made for c in one.candidates if c.role == "control"]


def gold(collection: Collection, **grades: int) -> Collection:
    known = {"q0": [Gold("q0", doc_id, grade, "hand") for doc_id, grade in grades.items()]}
    return replace(collection, gold=known)


def test_a_query_of_which_nothing_is_known_gets_no_control_unless_one_may_be_planted(arc: Collection) -> None:
    assert controls(arc, planted=0) == []
    assert [c.source for c in controls(arc, planted=0.01)] == ["planted"]


def test_a_planted_item_is_far_from_the_query_and_nobody_proposed_it(arc: Collection) -> None:
    for n, control in enumerate(controls(arc, "d20", queries=20, planted=1)):
        assert control.doc_id > "d30", n  # the least like the query of sixteen of thirty
        assert (control.score < 0, control.rank) == (True, 0)


def test_the_share_of_planted_controls_is_kept(arc: Collection) -> None:
    def sources(planted: float) -> Counter[str]:
        return Counter(c.source for c in controls(arc, "d03", queries=60, planted=planted))

    assert sources(0) == {"known-positive": 60}
    assert sources(1) == {"planted": 60}
    half = sources(0.5)
    assert half["planted"] + half["known-positive"] == 60
    assert 18 <= half["planted"] <= 42


def test_where_nothing_is_far_a_known_positive_is_taken(tmp_path: Path) -> None:
    near = tiny.collection(tmp_path, dict(list(DOCS.items())[:4]), {"red": (1, 0)})
    assert [c.source for c in controls(near, "d01", planted=1)] == ["known-positive"]
    assert controls(near, planted=1) == []


def test_gold_of_the_file_comes_before_all_else_with_each_grade_as_often(arc: Collection) -> None:
    known = gold(arc, d01=3, d02=3, d03=3, d30=0)
    found = [c for seed in range(60) for c in controls(known, "d05", planted=0.5, seed=seed)]
    assert {c.source for c in found} == {"gold:hand"}
    assert 18 <= sum(c.doc_id == "d30" for c in found) <= 42
    assert {c.doc_id for c in found} == {"d01", "d02", "d03", "d30"}


def test_gold_that_the_corpus_has_lost_is_passed_over(arc: Collection) -> None:
    assert [c.source for c in controls(gold(arc, gone=3), "d05", planted=0)] == ["known-positive"]


def test_a_control_stands_in_the_pool_once_and_nowhere_else(arc: Collection) -> None:
    for planted in (0, 1):
        for seed in range(10):
            query = Query(query_id="q0", text="red", positives=("d03",))
            shown = pooling.build(query, arc, chosen(planted=planted, seed=seed, random=4)).pool.candidates
            assert len({c.doc_id for c in shown}) == len(shown)
            assert [c.role for c in shown].count("control") == 1


def test_pools_take_their_gold_from_the_workspaces_file(tiny_workspace: Workspace, arc: Collection) -> None:
    assert prepared(tiny_workspace, arc).gold == {}
    one = Gold("q-red", "blue-bar", 0, "hand")
    save(tiny_workspace.gold, [one])
    assert prepared(tiny_workspace, arc).gold == {"q-red": [one]}


def test_a_project_of_a_domain_asks_its_queries_alone(tiny_workspace: Workspace) -> None:
    lines = tiny_workspace.queries.read_text().splitlines()
    first = lines[0].replace('"_id"', '"domain": "colours", "_id"')
    tiny_workspace.queries.write_text("\n".join([first, *lines[1:]]) + "\n")
    for name, project in {"main": Project(id=1), "some": Project(id=2, domain="colours")}.items():
        settings.add_project(tiny_workspace.settings_path, name, project)
    assert compose.make_pools(tiny_workspace, "some").made == 1
    assert len(pools.load(tiny_workspace.pools)) == 1
    done = compose.make_pools(tiny_workspace, "main")
    assert (done.made, done.there) == (len(lines) - 1, 1)


def test_a_domain_without_queries_is_named(tiny_workspace: Workspace) -> None:
    settings.add_project(tiny_workspace.settings_path, "none", Project(id=2, domain="smells"))
    with pytest.raises(Mendable, match="and domain smells"):
        compose.make_pools(tiny_workspace, "none")
