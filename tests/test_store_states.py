"""What is known of annotations: whether they came one by one or many at a time, a dict would say the same."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from store.states import Known, States

NOON = "2026-11-22T12:00:00.000001Z"
STAMPS = st.datetimes().map(lambda time: f"{time.isoformat(timespec='microseconds')}Z")
ROWS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2**63 - 1), STAMPS), min_size=1, max_size=12)


def begin(states: States, rows: list[tuple[int, int, str]]) -> bool:
    ids, tasks, times = zip(*rows, strict=True)
    return states.begin(np.array(ids, np.int64), np.array(tasks, np.int64), pa.array(times, pa.string()))


def test_nothing_is_known_of_what_never_came() -> None:
    states = States({})
    assert (dict(states), len(states), 1 in states, states.get(1)) == ({}, 0, False, None)


def test_what_began_is_known_in_its_first_revision() -> None:
    states = States({})
    assert begin(states, [(9, 42, NOON), (3, 41, NOON)])
    assert states[9] == Known(task_id=42, updated_at=NOON, revision=1, deleted=False, there=True)


def test_what_was_known_or_stands_twice_does_not_begin() -> None:
    single = {5: Known(1, NOON, 3, deleted=True, there=False)}
    states = States(single)
    assert begin(states, [(9, 42, NOON)])
    assert not begin(states, [(8, 42, NOON), (9, 42, NOON)])
    assert not begin(states, [(7, 42, NOON), (7, 42, NOON)])
    assert not begin(states, [(4, 42, NOON), (5, 42, NOON)])
    assert sorted(states) == [5, 9]


def test_a_later_revision_takes_the_place_of_the_first() -> None:
    single: dict[int, Known] = {}
    states, later = States(single), Known(42, NOON, 2, deleted=False, there=True)
    begin(states, [(9, 42, NOON)])
    states[9] = later
    assert (dict(states), single) == ({9: later}, {9: later})


def test_what_was_deleted_stands_no_more() -> None:
    states = States({7: Known(42, NOON, 1, deleted=False, there=True)})
    begin(states, [(9, 42, NOON), (8, 42, NOON)])
    assert states.standing() == 3
    states[9] = states[7] = Known(42, NOON, 2, deleted=True, there=False)
    assert states.standing() == 1


@given(st.lists(ROWS, max_size=12))
def test_however_many_came_at_a_time_each_is_known_as_it_came(batches: list[list[tuple[int, int, str]]]) -> None:
    states, known = States({}), dict[int, Known]()
    for rows in batches:
        ids = [annotation_id for annotation_id, _, _ in rows]
        fresh = len(set(ids)) == len(ids) and known.keys().isdisjoint(ids)
        assert begin(states, rows) == fresh
        if fresh:
            known |= {one: Known(task, time, 1, deleted=False, there=True) for one, task, time in rows}
    assert dict(states) == known
    assert states.standing() == len(known)
