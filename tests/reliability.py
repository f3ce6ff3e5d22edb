"""What the long tests count, and the file that they leave: `pytest -m long --reliability reports/reliability.json`.

A test takes the fixture `tally` and says what it saw: `tally.add(kill_points=200, lost=0, doubled=0)`. What no test
spoke of stays null.
"""

import json
from pathlib import Path

import pytest

NAMES = ("kill_points", "lost", "doubled", "bad_inputs", "crashes", "hangs", "soak_minutes", "answers_unaccounted")


class Tally:
    """Sums by name."""

    def __init__(self) -> None:
        self.counts: dict[str, float | None] = dict.fromkeys(NAMES)

    def add(self, **seen: float) -> None:
        """Add to some of the sums, 0 too: that something was looked for and not found. Other names are an error."""
        for name, count in seen.items():
            self.counts[name] = (self.counts[name] or 0) + count

    def write(self, path: Path) -> None:
        """Leave the sums as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.counts, indent=1) + "\n", "utf-8")


KEPT = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """The sums of this run."""
    return pytestconfig.stash[KEPT]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", type=Path, help="where to write what the long tests count, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[KEPT] = Tally()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if path := session.config.getoption("--reliability"):
        session.config.stash[KEPT].write(path)
