"""A world that went through the whole tool: pools by its own functions, judged by a crowd, as a data set."""

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from label_configs import rules as rules_file
from label_configs.records import Judgment, Pool, ScoredDoc
from label_configs.rules import Rules
from ls_retrieval.simulation.crowd import Crowd, crowd, judge, screens
from ls_retrieval.simulation.world import World
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import PoolSettings, Project, Settings, Splits
from sync.dataset import Dataset, State

POOL = PoolSettings(depth=24, proposers=("dense",), hard=2, random=1, audit_near=1, audit_beyond=1)
SETTINGS = Settings(pool=POOL, splits=Splits(dev=0, test=0), projects={"main": Project(id=1, votes=3)}, encoders={})


@dataclass(frozen=True)
class Labelled:
    """Pools and pre-ranking of a world, its crowd, and what they said of the pools in drawn order."""

    world: World
    rules: Rules
    pools: list[Pool]
    run: list[ScoredDoc]
    people: Crowd
    judgments: list[Judgment]

    @cached_property
    def data(self) -> Dataset:
        """What report, gates and formats would see."""
        return Dataset(
            name="main",
            rules=self.rules,
            settings=SETTINGS,
            media=Media(Path(), MediaSettings()),
            items=self.world.items,
            queries=self.world.queries,
            pools=self.pools,
            run=self.run,
            judgments=self.judgments,
            mapped=(),
            state=State("", ""),
        )

    def random(self, purpose: int) -> np.random.Generator:
        """A generator of one purpose's own."""
        return np.random.default_rng([self.world.seed, purpose])


def labelled(world: World) -> Labelled:
    """Make the pools, and have them judged."""
    from ml_backend import pooling

    rules = rules_file.parse(rules_file.preset())
    random = np.random.default_rng([world.seed, 1])
    with tempfile.TemporaryDirectory() as folder:
        held = world.collection(Path(folder))
        made = [pooling.build(query, held, SETTINGS) for query in world.queries.values()]
    pools, people = [one.pool for one in made], crowd(world.size, random)
    run = [hit for one in made for hit in one.run]
    return Labelled(world, rules, pools, run, people, judge(world, screens(pools), people, rules, random))
