"""How fast judgments become consensus, agreement and measures, beside who else does that.

    python bench/quality.py [--full] [--json FILE]

P6: Dawid and Skene's model over a million grades, beside crowd-kit; Bradley and Terry's over 2,000 items, beside choix
and evalica, and over 20,000. P7: ordinal alpha over a million grades, beside krippendorff; nDCG@10 of 10,000 queries
with 100 hits each, beside pytrec_eval. All start from the same columns, since that is what judgments are stored as;
what a peer needs beside them is made within its time. Every comparison says how far the answers are apart.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before numpy: a core each

import choix
import evalica
import krippendorff
import numpy as np
import pandas as pd
import pyarrow as pa
import pytrec_eval
from crowdkit.aggregation import DawidSkene
from side_by_side import Claim, Row, Took, alternating, arguments, median, ratio, took
from side_by_side import tell as tell_claims

from sync.agreement import alpha
from sync.consensus import Votes, estimate
from sync.evaluation import Columns
from sync.evaluation.measures.ndcg import ndcg
from sync.evaluation.ranked import rank
from sync.orders import Preferences
from sync.scale.bradley_terry import bradley_terry
from sync.votes import Floats

GRADES = 4
_DEVIATION = 10.0
"""Of the prior of scores, as `bradley_terry` has it; choix names half of its inverse square."""


class Size(NamedTuple):
    """How large the work is, and how often it is measured."""

    pairs: int
    annotators: int
    items: int
    many: int
    queries: int
    times: int


SIZES = {
    "tiny": Size(pairs=400, annotators=9, items=60, many=200, queries=50, times=1),
    "small": Size(pairs=333_334, annotators=100, items=2_000, many=20_000, queries=10_000, times=1),
    "full": Size(pairs=333_334, annotators=100, items=2_000, many=100_000, queries=10_000, times=5),
}
Work = Callable[[], Any]
N = TypeVar("N", int, float)


def votes(pairs: int, annotators: int, each: int = 3) -> Votes:
    """Three grades for each pair, by people with noise and biases of half a grade."""
    random = np.random.default_rng(0)
    truth, bias = random.choice(GRADES, pairs, p=(0.45, 0.25, 0.18, 0.12)), random.normal(0, 0.4, annotators)
    who = np.sort((random.integers(0, annotators, (pairs, 1)) + np.arange(each) * 4) % annotators, axis=1)
    said = np.clip(np.rint(truth[:, None] + bias[who] + random.normal(0, 0.55, who.shape)), 0, GRADES - 1)
    names = tuple(f"a{n:03}" for n in range(annotators))
    named = tuple(("q", f"d{n:07}") for n in range(pairs))
    return Votes(named, names, np.repeat(np.arange(pairs), each), who.ravel(), said.astype(np.int64).ravel())


def duels(n: int, each: int = 20) -> Preferences:
    """So many comparisons of each of n items, by people who err as the model says."""
    random = np.random.default_rng(0)
    place, one = random.normal(0, 0.5, n), random.integers(0, n, n * each)
    other = (one + random.integers(1, n, n * each)) % n
    won = random.random(n * each) < 1 / (1 + np.exp(place[other] - place[one]))
    nothing = np.zeros(n * each, np.int64)
    named = tuple(("q", f"d{item:06}") for item in range(n))
    return Preferences(named, ("a",), np.where(won, one, other), np.where(won, other, one), nothing, nothing)


def run(queries: int, hits: int = 100, known: int = 20, items: int = 100_000) -> tuple[Columns, Columns]:
    """Qrels of a fifth of the hits, and the run; scores do not tie."""
    random = np.random.default_rng(0)
    asked = np.array([f"q{n:06}" for n in range(queries)])
    doc = (random.integers(0, items, (queries, 1)) + np.cumsum(random.integers(1, 9, (queries, hits)), axis=1)) % items
    doc_id = np.array([f"d{n:07}" for n in range(items)])[doc]
    found = Columns(_texts(np.repeat(asked, hits)), _texts(doc_id), np.tile(np.arange(hits, 0, -1.0), queries))
    graded = doc_id[:, random.permutation(hits)[:known]]
    grade = random.integers(0, GRADES, queries * known).astype(float)
    return Columns(_texts(np.repeat(asked, known)), _texts(graded), grade), found


def _texts(values: Any) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values.ravel())])


def consensus(size: Size) -> tuple[list[Row], float]:
    """Dawid and Skene's model, as many rounds as each says that it needs; its aim is twice crowd-kit's speed."""
    given = votes(size.pairs, size.annotators)

    def peer() -> Floats:
        table = pd.DataFrame({"task": given.pair, "worker": given.annotator, "label": given.grade})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = DawidSkene(n_iter=100, tol=-1).fit(table).probas_
        return np.asarray(found.loc[range(len(given.pairs))][list(range(GRADES))])

    return _beside(
        f"Dawid–Skene, {len(given.pair):,} grades, 100 rounds at most",
        lambda: estimate(given, GRADES, "dawid-skene").posterior,
        {"crowd-kit": peer},
        size.times,
    )


def scores(size: Size) -> tuple[list[Row], float]:
    """Bradley and Terry's model; the nearest peer counts, of those that come to the same answer."""
    found = duels(size.items)

    def by_choix() -> Floats:
        data = list(zip(found.better.tolist(), found.other.tolist(), strict=True))
        return np.asarray(choix.opt_pairwise(len(found.items), data, alpha=0.5 / _DEVIATION**2, tol=1e-8))

    rows, gain = _beside(
        f"Bradley–Terry, {size.items:,} items, {len(found.better):,} comparisons",
        lambda: bradley_terry(found),
        {"choix, Newton": by_choix},
        size.times,
    )
    return [*rows, *_rust(found), _alone(size.many)], gain


def _rust(found: Preferences) -> list[Row]:
    """evalica's own way, by its defaults of 100 rounds and 1e-6: it has no prior, and does not get as far."""
    names = [doc_id for _, doc_id in found.items]
    one, other = ([names[n] for n in column.tolist()] for column in (found.better, found.other))
    winners = [evalica.Winner.X] * len(one)
    kept: list[Any] = []
    time = took(lambda: kept.append(evalica.bradley_terry(one, other, winners)))
    log = np.log(np.maximum(kept[0].scores.sort_index().to_numpy(), 1e-300))
    far = float(np.abs(log - log.mean() - bradley_terry(found, 1e4)).max()) if len(log) == len(names) else np.nan
    return [_row(f"  evalica (Rust), {kept[0].iterations} of its rounds", time, far)]


def _alone(items: int) -> Row:
    """Many items: a dense solver's matrix alone would be larger than most machines."""
    found = duels(items)
    time = took(lambda: bradley_terry(found))
    return _row(f"Bradley–Terry, {items:,} items (a square of them: {8 * items**2 / 1e9:.1f} GB), ours", time)


def agreement(size: Size) -> tuple[list[Row], float]:
    """Ordinal alpha, from the votes and, for the peer's better, from the counts of each pair as well."""
    given = votes(size.pairs, size.annotators)
    domain = list(range(GRADES))

    def by_counts() -> float:
        cells = np.bincount(given.pair * GRADES + given.grade, minlength=len(given.pairs) * GRADES)
        return float(
            krippendorff.alpha(
                value_counts=cells.reshape(-1, GRADES), value_domain=domain, level_of_measurement="ordinal"
            )
        )

    def by_table() -> float:
        table = np.full((len(given.annotators), len(given.pairs)), np.nan)
        table[given.annotator, given.pair] = given.grade
        return float(krippendorff.alpha(table, value_domain=domain, level_of_measurement="ordinal"))

    peers = {"krippendorff, of counts": by_counts, "krippendorff, of a table": by_table}
    return _beside(f"ordinal alpha, {len(given.pair):,} grades", lambda: alpha(given, GRADES), peers, size.times + 2)


def measures(size: Size) -> tuple[list[Row], float]:
    """nDCG@10 of every query."""
    qrels, hits = run(size.queries)

    def peer() -> Floats:
        judge = pytrec_eval.RelevanceEvaluator(_nested(qrels, int), {"ndcg_cut.10"})
        found = judge.evaluate(_nested(hits, float))
        return np.array([found[name]["ndcg_cut_10"] for name in sorted(found)])

    return _beside(
        f"nDCG@10, {size.queries:,} queries × 100 hits",
        lambda: np.nan_to_num(ndcg(rank(qrels, hits, depth=10), 10)),
        {"pytrec_eval": peer},
        size.times + 2,
    )


def _nested(rows: Columns, kind: type[N]) -> dict[str, dict[str, N]]:
    """What pytrec_eval reads: grades as whole numbers."""
    found: dict[str, dict[str, N]] = {}
    values = rows.value.astype(kind).tolist()
    for query_id, doc_id, value in zip(rows.query_id.to_pylist(), rows.doc_id.to_pylist(), values, strict=True):
        found.setdefault(query_id, {})[doc_id] = value
    return found


def _beside(name: str, ours: Work, peers: dict[str, Work], times: int) -> tuple[list[Row], float]:
    """Rows of what each took, and how many times faster than the fastest peer this project is (CPU)."""
    answers: dict[str, Any] = {}

    def keeping(who: str, work: Work) -> Work:
        return lambda: answers.__setitem__(who, work())

    works = {"ours": keeping("ours", ours), **{who: keeping(who, work) for who, work in peers.items()}}
    taken = alternating(works, times)
    rows = [_row(f"{name}, ours", median(taken["ours"]))]
    for who in peers:
        far = float(np.abs(np.asarray(answers["ours"]) - np.asarray(answers[who])).max())
        rows.append({**_row(f"  {who}", median(taken[who]), far), "× ours": ratio(taken["ours"], taken[who])})
    return rows, min(ratio(taken["ours"], taken[who]) for who in peers)


def _row(name: str, time: Took, far: float | None = None) -> Row:
    return {"work": name, "CPU s": time.cpu, "wall s": time.wall, "answers apart": far}


def claim(parts: list[tuple[list[Row], float, float, str]]) -> Claim:
    """One claim of several comparisons, each with its aim. ours and peer are of the one that is nearest to its aim."""
    tightest = min(parts, key=lambda part: part[1] / part[2])
    seconds = [float(row["CPU s"] or 0) for row in tightest[0]]
    return Claim(
        ours=seconds[0],
        peer=seconds[0] * tightest[1],
        unit="s of CPU",
        ratio=tightest[1],
        aim="; ".join(f"{name} ≥ {wanted:g} ×" for _, _, wanted, name in parts),
        met=all(gain >= wanted for _, gain, wanted, _ in parts),
        note="The figures are those of the comparison that is nearest to its aim.",
        rows=[row for rows, *_ in parts for row in rows],
    )


def main() -> None:
    """Measure and tell."""
    given = arguments(__doc__)
    size = SIZES[given.size]
    tell_claims(
        {
            "P6": claim([(*consensus(size), 2.0, "Dawid–Skene"), (*scores(size), 10.0, "Bradley–Terry")]),
            "P7": claim([(*agreement(size), 3.0, "alpha"), (*measures(size), 5.0, "nDCG")]),
        },
        given.json,
    )


if __name__ == "__main__":
    main()
