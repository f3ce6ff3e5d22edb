"""Encoders on the collected judgments: what they rank over the whole corpus, in both directions."""

import json
import sys
from math import log2
from pathlib import Path

import numpy as np
import pytest
import tiny
from sync_world import grade

from label_configs.errors import Mendable
from label_configs.records import Query
from ls_retrieval import cli, evaluating
from ls_retrieval.evaluating import Wanted
from ml_backend import encoder_runs
from store import settings
from store.judgments import Table
from store.settings import Project
from store.workspace import Workspace
from sync.evaluation import Difference, Interval

MEASURES = ("nDCG@10", "recall@10", "judged@10")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Workspace:
    """Six queries over 24 pictures, never indexed; of each query all pictures are judged, its colour is right."""
    made = tiny.build_workspace(tmp_path_factory.mktemp("evaluated"), tiny_model)
    settings.add_project(made.settings_path, "main", Project(id=7, form="graded", query="text", candidates="image"))
    docs = [f"{colour}-{shape}" for colour in tiny.COLOURS for shape in tiny.SHAPES]
    said = [
        grade(f"q-{colour}", doc, 3 if doc.startswith(colour) else 0, annotation_id=n, rules_hash=made.rules.hash)
        for n, colour in enumerate(tiny.COLOURS, 1)
        for doc in docs
    ]
    Table(made.judgments / "7").append(said, {})
    return made


def vectors(workspace: Workspace) -> tuple[encoder_runs.Space, encoder_runs.Space]:
    encoder = encoder_runs.load(workspace, "clip")
    queries, items = workspace.read_queries().records, workspace.read_items().records
    return (
        encoder_runs.encoded(workspace, "clip", encoder, queries),
        encoder_runs.encoded(workspace, "clip", encoder, items),
    )


def dcg(grades: list[int]) -> float:
    return sum(grade / log2(rank + 2) for rank, grade in enumerate(grades[:10]))


def test_an_encoder_is_measured_in_both_directions_without_an_index(workspace: Workspace) -> None:
    there, back = evaluating.run(workspace, "main", Wanted([], ["clip"], "", MEASURES))
    assert (there.direction, back.direction) == ("text → image", "image → text")
    assert (there.judged, back.judged) == (144, 144)
    queries, items = vectors(workspace)
    scores = queries.vectors @ items.vectors.T
    right = np.array([[item.startswith(query[2:]) for item in items.ids] for query in queries.ids])
    forth = [dcg([3 * right[q][i] for i in np.argsort(-scores[q])]) / dcg([3] * 4) for q in range(6)]
    other = [dcg([3 * right[q][i] for q in np.argsort(-scores[:, i])]) / dcg([3]) for i in range(24)]
    for done, wanted in ((there, forth), (back, other)):
        mean = done.runs["clip"].means["nDCG@10"]
        assert isinstance(mean, Interval)
        assert mean.value == pytest.approx(float(np.mean(wanted)), abs=1e-6)
        assert done.runs["clip"].judged10 == 1.0
    assert not workspace.index.exists()


def test_encoders_are_compared_with_each_other_and_with_run_files(workspace: Workspace, tmp_path: Path) -> None:
    model = workspace.settings.encoders["clip"].model
    best = tmp_path / "best.trec"
    best.write_text("".join(f"q-{c} Q0 {c}-{s} 1 {n} x\n" for c in tiny.COLOURS for n, s in enumerate(tiny.SHAPES)))
    there, back = evaluating.run(workspace, "main", Wanted([best], ["clip", model], "clip", MEASURES))
    assert list(there.runs) == ["best.trec", "clip", model]
    assert list(back.runs) == ["clip", model]
    same, better = there.differences[model]["nDCG@10"], there.differences["best.trec"]["nDCG@10"]
    assert isinstance(same, Difference)
    assert (same.value, same.p) == (0.0, 1.0)
    assert isinstance(better, Difference)
    assert better.value > 0
    (turned,) = back.differences.values()
    assert set(turned) == set(MEASURES)


def test_the_command_prints_both_directions_and_has_them_as_json(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*more: str) -> str:
        arguments = ["ls-retrieval", "evaluate", "-w", str(workspace.root), "--encoder", "clip", *more]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    out = said()
    assert "text → image, 144 judged pairs" in out
    assert "image → text, 144 judged pairs" in out
    found = json.loads(said("--json"))
    assert found["runs"].keys() == found["reversed"]["runs"].keys() == {"clip"}


def test_an_encoder_that_is_none_is_answered_with_those_that_are(workspace: Workspace) -> None:
    with pytest.raises(Mendable, match=r"no encoder 'glip'") as refused:
        evaluating.run(workspace, "main", Wanted([], ["glip"], "", MEASURES))
    assert "clip" in str(refused.value)
    assert encoder_runs.choice(workspace, "ViT-B-32:openai").model_dump()["pretrained"] == "openai"


def test_what_the_encoder_does_not_read_is_said(workspace: Workspace) -> None:
    encoder = encoder_runs.load(workspace, "clip")
    with pytest.raises(Mendable, match=r"clip: The model reads image and text, not audio"):
        encoder_runs.encoded(workspace, "clip", encoder, [Query(query_id="q", modality="audio", uri="a.wav")])


def test_nothing_to_rank_gives_no_hits() -> None:
    none = encoder_runs.Space([], np.zeros((0, 4), np.float32), [])
    one = encoder_runs.Space(["a"], np.ones((1, 4), np.float32), [])
    assert encoder_runs.ranked(one, none, 5).places.size == encoder_runs.ranked(none, one, 5).places.size == 0
