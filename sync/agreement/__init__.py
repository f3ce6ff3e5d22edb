"""How far annotators say the same, of grades, rankings, preferences and moments: as each other, and as themselves."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from label_configs.records import Item, Query
from label_configs.rules import Rules
from sync.agreement.cohen import Kappa, kappa, kappas
from sync.agreement.kendall import Concordance, concordance
from sync.agreement.krippendorff import Alpha, alpha, alpha_interval
from sync.agreement.moments import Overlap, overlap
from sync.agreement.repeats import Repeats, repeats
from sync.agreement.slices import sliced
from sync.agreement.transitivity import Transitivity, overall, transitivity
from sync.orders import preferences, rankings
from sync.votes import Given, grades

__all__ = ["Agreement", "Alpha", "Concordance", "Kappa", "Overlap", "Repeats", "Transitivity", "agreement", "alpha"]


class Agreement(NamedTuple):
    """All that is known of how people agree; None and empty where nobody answered what another did.

    slices: ordinal alpha by dimension and slice. transitive and repeats: by annotator.
    """

    ordinal: Alpha | None
    interval: Alpha | None
    nominal: Alpha | None
    kappa: float | None
    kappas: list[Kappa]
    slices: dict[str, dict[str, Alpha]]
    rankings: Concordance | None
    preferences: Transitivity
    transitive: dict[str, Transitivity]
    moments: Overlap | None
    repeats: dict[str, Repeats]


def agreement(
    given: Given,
    rules: Rules,
    queries: Mapping[str, Query],
    items: Mapping[str, Item],
    models: Collection[str] = (),
) -> Agreement:
    """Everything at once, of one project's judgments. models: annotators that are no people."""
    votes, n_grades = grades(given, rules, models), len(rules.values)
    two_by_two = kappas(votes, n_grades)
    transitive = transitivity(preferences(given, models))
    return Agreement(
        ordinal=alpha_interval(votes, n_grades, "ordinal"),
        interval=alpha_interval(votes, n_grades, "interval"),
        nominal=alpha_interval(votes, n_grades, "nominal"),
        kappa=kappa(two_by_two),
        kappas=two_by_two,
        slices=sliced(votes, n_grades, queries, items),
        rankings=concordance(rankings(given, models)),
        preferences=overall(transitive),
        transitive=transitive,
        moments=overlap(given, models),
        repeats=repeats(given, rules, models),
    )
