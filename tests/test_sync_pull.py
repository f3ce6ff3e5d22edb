"""Pull against a server that fails, forgets and is killed in between: nothing lost, nothing doubled."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from death import Death, Killed
from label_studio_sdk import LabelStudio
from sync_world import RULES
from task_server import World, client_of, client_within, serving

from label_configs.errors import Mendable
from label_configs.records import Judgment
from store import judgments, times
from store.judgments import Table
from store.settings import Project
from sync import patience
from sync.pull import Pulled, first, pull
from sync.tasks import listing

PROJECT = Project(id=7, candidates="text")
Do = Callable[..., Pulled]


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[World, str]]:
    world = World()
    with serving(world) as url:
        yield world, url


@pytest.fixture
def world(address: tuple[World, str], monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty project."""
    monkeypatch.setattr(patience, "LONGEST", 0.0)
    address[0].__init__()  # type: ignore[misc]
    return address[0]


@pytest.fixture
def client(address: tuple[World, str]) -> Iterator[LabelStudio]:
    with client_of(address[1]) as connected:
        yield connected


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "judgments" / "7")


@pytest.fixture
def do(client: LabelStudio, table: Table) -> Do:
    return lambda **more: take(client, table, **more)


def take(client: LabelStudio, table: Table, **more: Any) -> Pulled:
    return pull(client, PROJECT, table, {RULES.hash: RULES}.get, "key", **more)


def filled(world: World, tasks: int = 6) -> list[tuple[int, int]]:
    """Tasks with an annotation each: their ids."""
    made = [world.add(f"q{n}") for n in range(tasks)]
    return [(task_id, world.annotate(task_id, "310")) for task_id in made]


def rows(table: Table) -> list[dict[str, Any]]:
    """All of history, without the times since which rows stand: these tell when the pulls were."""
    found = [row for path in sorted(table.folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return [{name: value for name, value in row.items() if name != "since"} for row in found]


def standing(table: Table) -> dict[int, str]:
    """Annotation to its grades."""
    found: dict[int, str] = {}
    for j in table.current():
        found[j.annotation_id] = found.get(j.annotation_id, "") + j.value
    return found


# a server that fails


@pytest.mark.parametrize("fault", [500, 502, 503, 429, 408, "cut"])
def test_what_passes_is_waited_out(world: World, do: Do, table: Table, fault: int | str) -> None:
    made = filled(world)
    for n in range(1, 5):
        world.faults = [*[200] * n, fault, fault]
        do(page_size=2)
    assert standing(table) == {annotation_id: "310" for _, annotation_id in made}
    assert len(rows(table)) == 3 * len(made)


def test_a_server_that_asks_to_be_left_alone_is(world: World, do: Do, table: Table) -> None:
    made, begun = filled(world), time.monotonic()
    world.faults, world.retry_after = [429, 503], "1"
    do()
    assert time.monotonic() - begun >= 2
    assert set(standing(table)) == {annotation_id for _, annotation_id in made}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("86400", patience.ASKED),
        ("9" * 999, patience.ASKED),
        ("Fri, 31 Dec 9999 23:59:59 GMT", patience.ASKED),
        *[(odd, 0) for odd in ("", "soon", "-5", "1.5", "nan", "²", "Thu, 99 Jan 1970 00:00:00 GMT")],
    ],
)
def test_how_long_is_a_number_or_an_http_date_and_a_minute_at_most(said: str, seconds: float) -> None:
    assert patience.asked({"retry-after": said}, now=1000) == seconds
    assert patience.asked({}, now=1000) == 0


def test_what_does_not_pass_ends_with_a_sentence_and_what_was_read_stays(
    world: World, do: Do, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.0)
    made = filled(world)
    world.faults = [200, 200, 503]
    with pytest.raises(Mendable, match="answered 503 while reading the answers of project 7"):
        do(page_size=2)
    read = standing(table)
    assert 2 <= len(read) < len(made)
    assert do(page_size=2).new == len(made) - len(read)


def test_a_token_that_is_refused_in_the_middle_is_not_tried_again(world: World, do: Do, table: Table) -> None:
    filled(world)
    world.faults = [200, 401]
    with pytest.raises(Mendable, match="refuses the token") as refused:
        do(page_size=2)
    assert "LABEL_STUDIO_API_KEY" in refused.value.mend
    assert world.faults == []
    assert len(standing(table)) == 2


# what no time of change tells


def test_a_deleted_task_takes_its_answers_with_it(world: World, do: Do, table: Table) -> None:
    (gone, _), *others = filled(world)
    do()
    del world.tasks[gone]
    assert do() == Pulled(deleted=1, unchanged=1)
    assert set(standing(table)) == {annotation_id for _, annotation_id in others}
    assert do().deleted == 0


def test_a_task_that_was_deleted_and_imported_again_has_the_new_answers_alone(
    world: World, do: Do, table: Table
) -> None:
    ((task_id, _),) = filled(world, 1)
    do()
    del world.tasks[task_id]
    again = world.annotate(world.add("q0"), "000")
    pulled = do()
    assert (pulled.new, pulled.deleted) == (1, 1)
    assert standing(table) == {again: "000"}


def test_an_annotation_that_went_without_a_trace_is_missed_by_its_count(world: World, do: Do, table: Table) -> None:
    (first_, gone), *_ = filled(world)
    do()
    world.delete(first_, gone, silently=True)
    assert do().deleted == 1
    assert gone not in standing(table)


def test_where_the_counts_agree_no_task_is_listed(world: World, do: Do) -> None:
    filled(world)
    do()
    world.asked.clear()
    assert do().unchanged == 1
    assert [path.partition("?")[0] for path in world.asked] == ["/api/tasks/", "/api/projects/7/"]


def test_a_skipped_task_counts_and_stands_again_when_it_is_answered(world: World, do: Do, table: Table) -> None:
    task_id = world.add("q")
    skipped = world.annotate(task_id, "", was_cancelled=True)
    assert do().new == 1
    assert standing(table) == {skipped: "skipped"}
    world.tasks[task_id]["annotations"][0]["was_cancelled"] = False
    world.edit(task_id, skipped, "321")
    assert do().edited == 1
    assert standing(table) == {skipped: "321"}


def test_an_unreadable_task_is_named_at_every_pull_and_costs_no_other(world: World, do: Do, table: Table) -> None:
    (broken, _), *others = filled(world)
    world.tasks[broken]["meta"]["ls_retrieval"]["v"] = 9
    for _ in range(2):
        pulled = do()
        assert [f"task {broken} " in problem for problem in pulled.problems] == [True]
        assert len(standing(table)) == len(others)
    world.tasks[broken]["meta"]["ls_retrieval"]["v"] = 1
    assert do().new == 1


# progress and size


def test_the_first_pull_knows_how_much_there_is(world: World, client: LabelStudio, do: Do, table: Table) -> None:
    filled(world)
    world.add("unanswered")
    assert first(client, PROJECT, table) == 7
    done: list[int] = []
    do(page_size=3, advance=done.append)
    assert sum(done) >= 7
    assert first(client, PROJECT, table) is None


def test_one_percent_of_edits_adds_at_most_a_twentieth_and_nothing_adds_nothing(
    world: World, do: Do, table: Table
) -> None:
    made = filled(world, 300)
    do(page_size=100)
    before = {path: path.read_bytes() for path in table.folder.iterdir()}
    do(page_size=100)
    assert {path: path.read_bytes() for path in table.folder.iterdir()} == before
    for task_id, annotation_id in made[::100]:
        world.edit(task_id, annotation_id, "000")
    world.asked.clear()
    assert do(page_size=100).edited == 3
    parts = {path: path.read_bytes() for path in table.folder.glob("*.parquet")}
    assert all(parts[path] == content for path, content in before.items() if path in parts)
    assert len(world.asked) == 2


def test_what_changed_at_once_is_read_again_until_a_minute_has_passed_and_then_no_more(
    world: World, do: Do, table: Table
) -> None:
    made = filled(world, 9)
    last = world.tasks[made[-1][0]]["updated_at"]
    for row in world.tasks.values():
        row["updated_at"] = last
    do()
    assert do().unchanged == 9
    state = table.folder / "state.json"
    os.utime(state, (time.time() - 61, time.time() - 61))
    assert do().unchanged == 9
    assert do() == Pulled()
    world.edit(*made[0], "000")
    assert do() == Pulled(edited=1)
    assert not table.settled


def test_pages_that_an_administrator_keeps_short_are_read_to_the_end(
    world: World, client: LabelStudio, do: Do, table: Table
) -> None:
    made, world.largest = filled(world, 9), 4
    assert do().new == 9
    assert [row["id"] for row in listing(client, 7)] == [task_id for task_id, _ in made]
    world.delete(*made[0], silently=True)
    for task_id, _ in made[1:]:
        world.tasks[task_id]["annotations"].append({**world.tasks[task_id]["annotations"][0], "id": 1000 + task_id})
    assert (found := do()).deleted == 1
    assert found.new == 8


def test_of_two_pulls_at_once_the_second_waits_for_the_first(world: World, do: Do, table: Table) -> None:
    filled(world)
    with ThreadPoolExecutor(1) as beside:
        with table.writing():
            second = beside.submit(do)
            time.sleep(0.2)
            assert not second.done()
        assert second.result().new == 6
    assert do().new == 0


# clocks


def test_what_is_said_after_label_studios_clock_was_set_back_is_read(world: World, do: Do, table: Table) -> None:
    made = filled(world)
    do()
    world.tick(-3600)
    for number, values in enumerate(("000", "111", "222")):
        world.edit(*made[number], values)
        assert do().edited == 1
    world.tick(7200)
    world.edit(*made[3], "333")
    assert do().edited == 1
    assert list(standing(table).values()) == ["000", "111", "222", "333", "310", "310"]
    assert do().edited == 0


@pytest.mark.parametrize("step", [-86_400, 86_400])
def test_a_step_of_this_machines_clock_loses_and_doubles_nothing(
    world: World, do: Do, table: Table, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    made, real, now = filled(world), time.time, times.now
    do()
    states = [sorted(standing(table).values())]
    monkeypatch.setattr(time, "time", lambda: real() + step)
    monkeypatch.setattr(times, "now", lambda: times.stamp(datetime.fromisoformat(now()) + timedelta(seconds=step)))
    for number in range(3):
        world.edit(*made[number], "000")
        world.delete(*made[5 - number])
        assert (do().edited, do().edited) == (1, 0)
        states.append(sorted(standing(table).values()))
    assert states == [["000"] * n + ["310"] * (6 - 2 * n) for n in range(4)]


# kill -9


def test_killed_at_two_hundred_points_nothing_is_lost_and_nothing_doubled(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgments, "_ROWS", 12)
    monkeypatch.setattr("store.parts._MANY", 4)
    made = filled(world, 10)
    before = {task_id: {**row, "annotations": [*row["annotations"]]} for task_id, row in world.tasks.items()}

    def change() -> None:
        world.edit(*made[0], "000")
        world.delete(*made[1])
        del world.tasks[made[2][0]]
        world.annotate(made[3][0], "222", user=2)

    change()
    after = dict(world.tasks)
    death = Death(monkeypatch)

    def two_pulls(table: Table, kill: tuple[float, float] = (float("inf"), float("inf"))) -> None:
        for state, touches in zip((before, after), kill, strict=True):
            world.tasks = dict(state)
            death.left = touches
            with client_within(world) as client:
                try:
                    take(client, table, page_size=3)
                except Killed:
                    death.left = float("inf")
                    take(client, table, page_size=3)

    calm = Table(tmp_path / "calm" / "7")
    two_pulls(calm)
    touches, expected = death.touched, sorted(map(_content, rows(calm)))
    random_ = random.Random(0)
    for n in range(200):
        table = Table(tmp_path / str(n) / "7")
        two_pulls(table, (random_.randrange(touches), random_.randrange(touches)))
        assert table.current() == calm.current()
        assert sorted(map(_content, rows(table))) == expected
        assert not [path for path in table.folder.iterdir() if path.name.startswith(".0")]


def _content(row: dict[str, Any]) -> str:
    """A row as text; a task that is gone is found at a time of our own clock."""
    return json.dumps({**row, "updated_at": "" if row["deleted"] else row["updated_at"]}, sort_keys=True)


def test_judgments_are_what_they_were(world: World, do: Do, table: Table) -> None:
    ((_, annotation_id),) = filled(world, 1)
    do()
    found = table.current()
    assert [type(j) for j in found] == [Judgment] * 3
    assert {j.annotation_id for j in found} == {annotation_id}


def test_answers_are_not_read_with_another_pseudonym_key(world: World, client: LabelStudio, table: Table) -> None:
    world.annotate(world.add("q1"), "310")
    pull(client, PROJECT, table, {RULES.hash: RULES}.get, "the first")
    other = Table(table.folder.with_name("8"))
    for there in (table, other):  # nor into another table of the workspace
        with pytest.raises(Mendable, match="pseudonym key is not the one"):
            pull(client, PROJECT, there, {RULES.hash: RULES}.get, "another")
    assert pull(client, PROJECT, table, {RULES.hash: RULES}.get, "the first").held == 1
