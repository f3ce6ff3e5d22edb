"""What was missed, what each proposer is worth, and whose judge a run is."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from label_configs import rules as rules_file
from label_configs.records import Candidate, Judgment, Pool, Qrel, Relevance, Role, ScoredDoc, named_by
from sync.completeness import Why, ambiguity, circular, missed, proposers, why, yields
from sync.completeness.audit import Draw, bound
from sync.completeness.bounds import binomial_cdf, hypergeometric_cdf, interval, lower, most_marked, upper
from sync.said import Said

POSITIVE, NEGATIVE = frozenset({2, 3}), frozenset({0})


def shown(doc_id: str, reason: str, **more: int) -> Candidate:
    return Candidate(doc_id=doc_id, source="dense", reason=reason, **more)  # type: ignore[arg-type]


def drawn(doc_id: str, source: str, of: int, count: int = 1) -> Candidate:
    role: Role = "random" if source == "random" else "audit"
    return Candidate(doc_id=doc_id, source=source, role=role, drawn=count, drawn_from=of)


def pool(query_id: str, *candidates: Candidate) -> Pool:
    return Pool(query_id=query_id, candidates=candidates, encoder="toy", index="i", seed=0)


# bounds


@pytest.mark.parametrize(("x", "n"), [(0, 1), (0, 10), (3, 10), (10, 10), (1, 400), (399, 400)])
def test_bounds_are_those_of_clopper_and_pearson(x: int, n: int) -> None:
    assert upper(x, n) == pytest.approx(1.0 if x == n else stats.beta.ppf(0.95, x + 1, n - x), abs=1e-9)
    assert lower(x, n) == pytest.approx(0.0 if x == 0 else stats.beta.ppf(0.05, x, n - x + 1), abs=1e-9)
    both, found = stats.binomtest(x, n).proportion_ci(0.95, "exact"), interval(x, n)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((both.low, both.high), abs=1e-4)


def test_nothing_seen_bounds_nothing() -> None:
    assert (lower(0, 0), upper(0, 0), interval(0, 0)) == (0.0, 1.0, None)


def test_after_none_of_59_draws_at_most_one_in_twenty_is_relevant() -> None:
    assert upper(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))  # the rule of three: about 3 / 59


@given(st.integers(1, 60), st.data())
@settings(deadline=None, max_examples=60)
def test_the_distributions_are_scipys(size: int, data: st.DataObject) -> None:
    marked, n = data.draw(st.integers(0, size)), data.draw(st.integers(1, size))
    x = data.draw(st.integers(0, n))
    assert hypergeometric_cdf(x, size, marked, n) == pytest.approx(stats.hypergeom.cdf(x, size, marked, n), abs=1e-9)
    assert binomial_cdf(x, size, marked / size) == pytest.approx(stats.binom.cdf(x, size, marked / size), abs=1e-9)


def test_one_draw_of_sixteen_that_is_not_relevant_leaves_fifteen_possible() -> None:
    assert most_marked(0, 16, 1) == 15  # (16 - 15) / 16 = 0.0625 is still above 0.05
    assert most_marked(0, 100, 1) == 94
    assert most_marked(0, 16, 16) == 0


@given(st.integers(1, 12), st.data())
@settings(deadline=None, max_examples=40)
def test_the_bound_on_one_query_covers_for_every_truth(size: int, data: st.DataObject) -> None:
    n, truth = data.draw(st.integers(1, size)), data.draw(st.integers(0, size))
    chances = [stats.hypergeom.pmf(x, size, truth, n) for x in range(n + 1)]
    possible = [x for x, chance in enumerate(chances) if chance > 0]
    covered = sum(chances[x] for x in possible if x + bound([Draw(size, n, x)], 0.95) >= truth)
    assert covered >= 0.95 - 1e-9


def test_over_many_queries_the_bound_is_the_binomials() -> None:
    draws = [Draw(50, 1, n == 0) for n in range(40)]
    assert bound(draws, 0.95) == pytest.approx(upper(1, 40) * 40 * 50 - 1)


def test_where_queries_differ_in_size_the_largest_are_feared_first() -> None:
    draws = [Draw(100, 1, 0), *[Draw(10, 1, 0)] * 39]
    mean = upper(0, 40) * 40  # 2.8: the large one whole, the rest at ten each
    assert bound(draws, 0.95) == pytest.approx(100 + (mean - 1) * 10)


@pytest.mark.parametrize("shape", ["even", "few queries hold all", "long tail"])
def test_the_bound_covers_what_it_should_whatever_the_relevant_lie_in(shape: str) -> None:
    random = np.random.default_rng(5)
    sizes = random.integers(20, 60, 40)
    shares = {"even": 0.05 + 0 * sizes, "few queries hold all": 0.9 * (np.arange(40) < 3)}
    truth = np.floor(sizes * shares.get(shape, 0.5 / (1 + np.arange(40)))).astype(int)
    covered = 0
    for _ in range(400):
        found = random.hypergeometric(truth, sizes - truth, 2)
        draws = [Draw(int(size), 2, int(x)) for size, x in zip(sizes, found, strict=True)]
        covered += found.sum() + bound(draws, 0.95) >= truth.sum()
    assert covered >= stats.binom.ppf(0.01, 400, 0.95)


# what was missed


def test_without_an_audit_nothing_is_claimed() -> None:
    found = missed([pool("q", shown("a", "dense 1"))], {("q", "a"): True})
    assert (found["audited"], found["missed_most"], found["recall_least"]) == (0, None, None)
    assert (found["strata"], found["queries"]) == ([], [])


def test_each_draw_stands_for_what_it_was_drawn_from() -> None:
    pools = [
        pool("q1", shown("a", "dense 1"), drawn("b", "audit:near", 8), drawn("c", "random", 100)),
        pool("q2", shown("a", "dense 1"), drawn("b", "audit:near", 8), drawn("d", "random", 100)),
        pool("q3", drawn("b", "audit:near", 8)),
    ]
    relevant = {("q1", "a"): True, ("q1", "b"): True, ("q1", "c"): False, ("q2", "b"): False, ("q2", "d"): False}
    found = missed(pools, relevant)
    near, random = found["strata"]
    assert (near["name"], near["queries"], near["unaudited"], near["size"]) == ("audit:near", 2, 1, 16)
    assert (near["drawn"], near["found"], near["missed"]) == (2, 1, 7.0)  # the one that was found stands for 8
    assert (random["drawn"], random["found"], random["missed"]) == (2, 0, 0.0)
    assert (found["audited"], found["known"], found["unshown"]) == (2, 2, 216)
    assert found["recall"] == round(2 / (2 + 7), 4)
    assert found["share"] == round(7 / 216, 4)
    assert [one["query_id"] for one in found["queries"]] == ["q1", "q2"]
    assert found["missed_most"] == pytest.approx(near["missed_most"] + random["missed_most"], abs=0.06)


def test_a_pool_that_was_shown_in_another_order_counts_once() -> None:
    once = pool("q", drawn("b", "audit:near", 8), shown("a", "dense 1"))
    again = pool("q", shown("a", "dense 1"), drawn("b", "audit:near", 8))
    assert missed([once, again], {("q", "b"): False})["strata"][0]["drawn"] == 1


def test_more_draws_say_more() -> None:
    def most(queries: int) -> float:
        pools = [pool(f"q{n}", drawn("b", "audit:near", 10)) for n in range(queries)]
        found = missed(pools, {(f"q{n}", "b"): False for n in range(queries)})
        assert found["share_most"] is not None
        return found["share_most"]

    assert most(10) > most(40) > most(160)


# hard negatives


def test_hard_negatives_that_people_found_positive_are_counted_by_source() -> None:
    candidates = {
        ("q", f"d{n}"): Candidate(doc_id=f"d{n}", source=source, role="hard_negative")
        for n, source in enumerate(("near", "near", "near", "look"))
    } | {("q", "a"): shown("a", "dense 1")}
    graded = {("q", "d0"): 3, ("q", "d1"): 0, ("q", "d2"): 1, ("q", "d3"): 0, ("q", "a"): 3}
    found = yields(candidates, graded, POSITIVE, NEGATIVE)
    assert list(found) == ["all", "look", "near"]
    assert (found["all"]["judged"], found["all"]["positive"], found["all"]["negative"]) == (4, 1, 2)
    near = found["near"]["found_positive"]
    assert near is not None
    assert near.share == round(1 / 3, 4)
    assert near.high == pytest.approx(stats.binomtest(1, 3).proportion_ci(0.95, "exact").high, abs=1e-4)


def test_without_hard_negatives_there_is_no_yield() -> None:
    assert yields({}, {("q", "a"): 3}, POSITIVE, NEGATIVE) == {}


# proposers


@given(
    st.lists(st.tuples(st.integers(1, 99), st.sampled_from(["dense:clip", "lexical", "neighbours:a b"])), max_size=3)
)
def test_who_named_a_candidate_is_read_as_it_was_written(ranks: list[tuple[int, str]]) -> None:
    assert shown("d", named_by(ranks)).proposers == {name: rank for rank, name in ranks}


def test_candidates_that_were_not_ranked_are_nobodys() -> None:
    assert drawn("d", "audit:near", 9).proposers == {}
    assert Candidate(doc_id="d", source="look-alike", role="hard_negative", reason="like d1 0.9").proposers == {}


def both() -> tuple[dict[tuple[str, str], Candidate], list[Qrel]]:
    """Two proposers: a is named by both, b by the dense one alone, c by the lexical one alone; all relevant but c."""
    reasons = {"a": "dense 1, lexical 2", "b": "dense 2", "c": "lexical 1"}
    candidates = {("q", d): shown(d, reason) for d, reason in reasons.items()}
    return candidates, [Qrel("q", "a", 3), Qrel("q", "b", 2), Qrel("q", "c", 0)]


def test_what_one_proposer_alone_brought_is_counted_and_left_out() -> None:
    candidates, qrels = both()
    found = proposers(candidates, qrels, [ScoredDoc("q", "b", 2.0), ScoredDoc("q", "a", 1.0)], POSITIVE)
    dense, lexical = found["dense"], found["lexical"]
    assert (dense["named"], dense["relevant"], dense["unique"]) == (2, 2, 1)
    assert (lexical["named"], lexical["relevant"], lexical["unique"]) == (2, 1, 0)
    assert (dense["own"], dense["own_without"]) == (1.0, 1.0)  # a, b is the best order, and a alone still is
    assert lexical["own"] == round((3 / np.log2(3)) / (3 + 2 / np.log2(3)), 4)
    assert dense["run_without"] == round(1 / np.log2(3), 4)  # b is unknown then, a stands second


# circularity


def test_a_run_of_a_single_proposer_is_its_own_judge() -> None:
    candidates = {("q", f"d{n}"): shown(f"d{n}", f"dense {n + 1}") for n in range(10)}
    qrels = [Qrel("q", f"d{n}", 3) for n in range(10)]
    run = [ScoredDoc("q", f"d{n}", -n) for n in range(10)]
    found = circular(run, candidates, qrels, POSITIVE)
    assert (found["like"], found["relevant"], found["flagged"]) == (["dense"], 10, True)
    assert circular(run[::-1], candidates, qrels, POSITIVE)["flagged"]


def test_a_run_that_others_support_or_that_is_like_nobody_is_not() -> None:
    candidates = {("q", f"d{n}"): shown(f"d{n}", f"dense {n + 1}, lexical 3") for n in range(10)}
    qrels = [Qrel("q", f"d{n}", 3) for n in range(10)]
    run = [ScoredDoc("q", f"d{n}", -n) for n in range(10)]
    assert not circular(run, candidates, [], POSITIVE)["flagged"]
    supported = circular(run, candidates, qrels, POSITIVE)
    assert (supported["like"], supported["flagged"]) == (["dense", "lexical"], True)  # both rank as the run does
    other = circular([ScoredDoc("q", f"x{n}", -n) for n in range(10)], candidates, qrels, POSITIVE)
    assert (other["like"], other["flagged"]) == ([], False)


# reasons


def reasons(**counts: int) -> Said:
    return Said(voters=3, reasons=Counter(counts))


Reasons = tuple[str, int, float, int]
"""code, grade, score, rank"""


def asked(rows: Sequence[Reasons]) -> list[Why]:
    said = {("q", f"d{n}"): reasons(**{code: 1}) for n, (code, *_) in enumerate(rows)}
    graded = {("q", f"d{n}"): grade for n, (_, grade, *_) in enumerate(rows)}
    shown = {
        ("q", f"d{n}"): Candidate(doc_id=f"d{n}", source="dense", score=score, rank=rank)
        for n, (_, _, score, rank) in enumerate(rows)
    }
    return why(said, graded, shown, POSITIVE)


def test_without_reasons_there_is_nothing_to_say() -> None:
    assert why({("q", "d"): Said(voters=1)}, {("q", "d"): 1}, {}, POSITIVE) == []
    assert asked([("count", 1, 0.5, 3)])[0]["p"] == 0.5  # nothing to compare it with


def test_the_reason_whose_pairs_score_too_high_for_their_grade_comes_first() -> None:
    rows = [("count", 1, 9.0 + n, n + 1) for n in range(8)] + [("object", 1, 1.0 + n / 9, 20 + n) for n in range(8)]
    first, second = asked([*rows, ("count", 2, 0.5, 40)])
    assert (first["code"], first["near"], first["near_of"], first["elsewhere"]) == ("count", 8, 8, 1)
    assert first["lift"] == 9.0  # 8 of 8 against 1 of 9
    scores = [score for _, _, score, _ in rows]
    sums = [sum(some) for some in combinations(scores, 8)]  # all ways to give the code to eight of the sixteen
    above = (sum(scores[:8]) - np.mean(sums)) / np.std(sums)
    assert first["p"] == pytest.approx(2 * stats.norm.sf(above), abs=1e-6)  # Holm: two codes
    assert (second["code"], second["p"] > 0.99) == ("object", True)


def test_that_better_grades_have_other_reasons_and_higher_scores_is_no_weakness() -> None:
    better = [("style", 2, 5.0 + n, n + 1) for n in range(9)] + [("object", 2, 4.5, 9)]
    worse = [("object", 1, 1.0 + n, 20 + n) for n in range(9)] + [("style", 1, 0.5, 30)]
    assert min(one["p"] for one in asked([*better, *worse])) > 0.05


def test_a_code_that_few_of_those_asked_named_is_not_the_pairs() -> None:
    candidate = {("q", "n"): shown("n", "dense 1", rank=3)}
    found = why({("q", "n"): reasons(count=3, style=1)}, {("q", "n"): 1}, candidate, POSITIVE)
    assert [one["code"] for one in found] == ["count"]


# ambiguity

RULES = rules_file.parse(rules_file.preset())


def flag(query_id: str, annotator: str, value: str) -> Judgment:
    return Judgment(
        kind="flag" if value in RULES.flags else "grade", project=1, task_id=1, annotation_id=1, updated_at="",
        query_id=query_id, doc_id="", value=value, annotator=annotator, rules_hash=RULES.hash,
        pool_id="p", form="graded", round=1, position=-1,
    )  # fmt: skip


def test_of_nothing_no_query_is_ambiguous() -> None:
    assert ambiguity([], [], RULES) == []


def test_a_query_is_ambiguous_where_any_grade_is_as_likely_or_people_flag_it() -> None:
    sure, torn = Relevance("plain", "a", 3, (0, 0, 0, 1), 1, 3), Relevance("torn", "a", 3, (0.25,) * 4, 0.25, 3)
    half = Relevance("torn", "b", 0, (1, 0, 0, 0), 1, 3)
    said = [flag("plain", "ada", "3"), flag("plain", "bob", "3"), flag("flagged", "ada", "vague")]
    said += [flag("torn", "ada", "vague"), flag("torn", "bob", "3")]
    found = ambiguity([sure, torn, half], said, RULES)
    assert [(one["query_id"], one["score"]) for one in found] == [("flagged", 1.0), ("torn", 0.75), ("plain", 0.0)]
    assert (found[1]["apart"], found[1]["flagged"], found[1]["relevant"]) == (0.5, 0.5, 1)
