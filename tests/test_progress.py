"""What people are told of long work: how far, how fast, how long still."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from ls_retrieval import progress


@pytest.mark.parametrize(
    ("done", "total", "speed", "told"),
    [
        (0, None, 0.0, "0, 0.0/min"),
        (5, None, 0.5, "5, 30.0/min"),
        (320, 1060, 12.5, "320 of 1060, 12/s, 59 s left"),
        (320, 1060, 0.5, "320 of 1060, 30.0/min, 25 min left"),
        (0, 1_000_000, 40.0, "0 of 1000000, 40/s, 7 h left"),
        (0, 1_000_000, 4.0, "0 of 1000000, 4.0/s, 3 d left"),
        (10, 10, 3.0, "10 of 10, 3.0/s"),
    ],
)
def test_a_line_says_how_far_how_fast_and_how_long_still(done: int, total: int | None, speed: float, told: str) -> None:
    assert progress.told_of(done, total, speed) == told


def written(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, quiet: float = 0.0) -> str:
    out = io.StringIO()
    monkeypatch.setattr(progress, "err", Console(file=out, force_terminal=terminal, width=100, highlight=False))
    monkeypatch.setattr(progress, "_QUIET", quiet)
    with progress.bar("Encoding", 4) as advance:
        advance(2)
        advance(2)
    return out.getvalue()


def test_a_log_holds_a_line_for_each_look_and_the_time_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    half, whole, end = written(monkeypatch, terminal=False).splitlines()
    assert half.startswith("Encoding: 2 of 4, ")
    assert half.endswith(" left")
    assert whole.startswith("Encoding: 4 of 4, ")
    assert end == "Encoding: 0.0 s"


def test_a_log_hears_nothing_of_short_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, terminal=False, quiet=60.0) == ""


def test_a_terminal_shows_a_bar_and_then_the_time_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, terminal=True).rstrip().endswith("Encoding: 0.0 s")


def test_what_others_wrote_is_printed_as_they_wrote_it() -> None:
    out, table = io.StringIO(), Table("[bold]who", title=":owl: [/x]")
    table.add_row("[export] :bird:")
    console = progress.terminal()
    console.file = out
    console.print(table)
    for said in ("[bold]who", ":owl: [/x]", "[export] :bird:"):
        assert said in out.getvalue()
