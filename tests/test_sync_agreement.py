"""Agreement: how far annotators say the same."""

from random import Random

import krippendorff
import numpy as np
import pytest
from sync_world import RULES
from voters import votes_of

from sync.agreement import alpha
from sync.consensus import grades


def test_agreement_needs_a_pair_with_two_votes() -> None:
    assert alpha(grades([], RULES), 4) is None
    assert alpha(grades(votes_of([[0, 1, None], [None, None, 3]]), RULES), 4) is None


def test_agreement_by_hand() -> None:
    assert alpha(grades(votes_of([[2, 2], [2, 2]]), RULES), 4) == 1
    # two grades, six votes, three of each; the one differing pair counts twice: 1 - (6 - 1) * 1 / (3 * 3)
    assert alpha(grades(votes_of([[0, 1, 0], [0, 1, 1]]), RULES), 4) == pytest.approx(1 - 5 / 9)


@pytest.mark.parametrize("seed", range(20))
def test_agreement_is_krippendorffs(seed: int) -> None:
    random = Random(seed)
    table = [[random.choice([None, *RULES.values]) for _ in range(30)] for _ in range(4)]
    numbers = [[np.nan if value is None else value for value in row] for row in table]
    wanted = krippendorff.alpha(numbers, value_domain=list(RULES.values), level_of_measurement="ordinal")
    assert alpha(grades(votes_of(table), RULES), 4) == pytest.approx(wanted, abs=1e-9)
