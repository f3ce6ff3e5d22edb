"""Records: the names that are made from content."""

import hashlib
from dataclasses import replace

import pytest

from label_configs.errors import GateFailed, Mendable, Unreadable
from label_configs.records import Candidate, Pool, Query, digest

POOL = Pool(
    query_id="q1",
    candidates=(Candidate(doc_id="a", source="dense", score=0.9), Candidate(doc_id="b", source="lexical", score=0.1)),
    encoder="e1",
    index="i1",
    seed=7,
)


def test_a_digest_is_sixteen_hex_digits_of_sha256_over_parts_closed_by_nul() -> None:
    assert digest() == hashlib.sha256(b"").hexdigest()[:16]
    assert digest("a", 1) == hashlib.sha256(b"a\x001\x00").hexdigest()[:16]


def test_where_one_part_ends_and_the_next_begins_changes_the_digest() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", "")}) == 4


def test_a_pool_is_named_by_query_documents_in_order_seed_and_round() -> None:
    assert POOL.pool_id == digest("q1", "a", "b", 7, 1)


def test_scores_ranks_sources_roles_reasons_and_versions_do_not_rename_a_pool() -> None:
    other = tuple(
        Candidate(doc_id=c.doc_id, source="gold", role="control", score=0.5, rank=9, reason="r")
        for c in POOL.candidates
    )
    assert replace(POOL, candidates=other, encoder="e2", index="i2").pool_id == POOL.pool_id


@pytest.mark.parametrize(
    "change",
    [
        {"query_id": "q2"},
        {"candidates": POOL.candidates[::-1]},
        {"candidates": POOL.candidates[:1]},
        {"candidates": ()},
        {"seed": 8},
        {"round": 2},
    ],
)
def test_everything_that_makes_another_pool_renames_it(change: dict[str, object]) -> None:
    assert replace(POOL, **change).pool_id != POOL.pool_id  # type: ignore[arg-type]


def test_the_content_of_a_query_is_its_text_or_the_uri_of_its_medium() -> None:
    assert Query(query_id="q", text="a red bus", uri="unused.png").content == "a red bus"
    assert Query(query_id="q", modality="audio", text="the caption", uri="bus.mp3").content == "bus.mp3"


def test_an_error_says_what_then_every_problem_then_why_then_how_to_mend_it() -> None:
    error = Mendable("It broke.", why="It fell.", mend="Glue it.", problems=["left", "right"])
    assert str(error) == "It broke.\n  - left\n  - right\nWhy: It fell.\nMend: Glue it."
    assert str(Mendable("It broke.")) == "It broke."


def test_exit_codes_tell_mendable_errors_from_failed_gates() -> None:
    assert (Mendable.exit_code, Unreadable.exit_code, GateFailed.exit_code) == (1, 1, 3)
