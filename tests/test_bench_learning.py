"""The rules by which the script on learning simulates assisted annotators, and its measure, by hand."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "bench" / "learning.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_learning", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_assisted_annotator_submits_some_screens_as_they_are_and_leaves_half_of_what_is_nearly_right(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "LAZY", 0.0)
    screens = [bench.assisted([3, 3, 3, None], [3, 2, 0, 1], str(n)) for n in range(400)]
    assert {(first, third, last) for first, _, third, last in screens} == {(3, 3, None)}
    assert sum(second == 2 for _, second, _, _ in screens) / 400 == pytest.approx(0.5, abs=0.08)
    monkeypatch.setattr(bench, "LAZY", 0.25)
    lazy = sum(bench.assisted([3, None], [0, 1], str(n)) == [0, 1] for n in range(400))
    assert lazy / 400 == pytest.approx(0.25, abs=0.08)


def test_ndcg_counts_what_the_list_does_not_hold(bench: ModuleType) -> None:
    assert bench._ndcg([3.0], [3.0, 3.0]) == pytest.approx(1 / (1 + 0.6309), abs=1e-4)
    assert bench._ndcg([3.0, 3.0], [3.0, 3.0]) == 1
