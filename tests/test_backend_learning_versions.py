"""What was learned, on disk and in service: the same judgments give the same bytes, and nothing of it is trusted."""

import json
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tiny
from lessons import PROJECT, RULES, Small
from test_backend_learning import by_truth

from label_configs.cards import Card
from label_configs.errors import Mendable, Unreadable
from label_configs.forms import form
from label_configs.records import Modality, Query
from ls_retrieval import cli, compose
from ml_backend import learning
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.encoders.base import Vectors
from ml_backend.learning import BASE, learn, shelf_of
from ml_backend.learning.learner import teach
from ml_backend.learning.views import open_views
from ml_backend.retriever import Retriever
from store import corpus, files, settings
from store.judgments import Table
from store.media import Content
from store.settings import Project, add_project
from store.workspace import Workspace

NOWHERE = RemoteEncoders(Path("/nowhere"))


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """60 queries judged by one annotator whose order the scores do not know. For reading: `small` is a copy."""
    small = Small(tmp_path_factory.mktemp("judged"), queries=60)
    truth = by_truth(small)
    small.judge(small.answers(lambda q, d: truth[q, d]))
    return small


@pytest.fixture
def small(judged: Small, tmp_path: Path) -> Small:
    made = Small(tmp_path / "workspace", queries=60)
    shutil.copytree(judged.workspace.judgments, made.workspace.judgments)
    return made


def kept(small: Small) -> dict[str, bytes]:
    folder = small.workspace.root / "models"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def in_use(small: Small) -> str:
    return shelf_of(small.workspace, PROJECT).pointer().version


def test_without_judgments_nothing_is_learned_and_nothing_is_kept(tmp_path: Path) -> None:
    small = Small(tmp_path)
    assert learn(small.workspace, PROJECT) == (None, False)
    assert kept(small) == {}
    assert Retriever(small.workspace.root, NOWHERE).ranker_of(PROJECT).learned is None


def test_the_same_judgments_give_the_same_version_to_the_byte_in_whatever_order_they_came(
    small: Small, tmp_path: Path
) -> None:
    learn(small.workspace, PROJECT)
    again = Small(tmp_path / "again", queries=60)
    given = small.table.current()
    for start in (40 * n for n in range(len(given) // 40 + 1)):
        part = [j for j in given if j.annotation_id in sorted({j.annotation_id for j in given})[start : start + 40]]
        again.judge(part[::-1])
    learn(again.workspace, PROJECT)
    assert kept(again) == kept(small)
    assert len(kept(small)) == 4  # the pointer, what it is about, and two arrays
    before = kept(small)
    assert learn(small.workspace, PROJECT).used
    assert kept(small) == before


def test_deleted_and_edited_answers_are_unlearned(small: Small, tmp_path: Path) -> None:
    learn(small.workspace, PROJECT)
    never = in_use(small)
    spam = small.answers(lambda q, d: 3, annotator="bob", updated_at="2026-02-01T00:00:00.000000Z")
    small.judge(spam)
    learn(small.workspace, PROJECT)
    assert in_use(small) != never
    gone = {j.annotation_id: j for j in spam}
    small.judge(list(gone.values()), deleted=True)
    learn(small.workspace, PROJECT)
    assert in_use(small) == never
    fresh = Small(tmp_path / "fresh", queries=60)
    shutil.copytree(small.workspace.judgments, fresh.workspace.judgments)
    learn(fresh.workspace, PROJECT)
    assert {name: content for name, content in kept(small).items() if name.startswith(f"{PROJECT}/{never}")} == {
        name: content for name, content in kept(fresh).items() if name.startswith(f"{PROJECT}/{never}")
    }


def test_verdicts_of_the_project_that_adjudicates_teach_in_place_of_what_they_decided(small: Small) -> None:
    learn(small.workspace, PROJECT)
    before = in_use(small)
    judge = Project(id=PROJECT + 1, form="review", purpose="adjudication", adjudicates="main")
    add_project(small.workspace.settings_path, "adjudication", judge)
    decided = small.answers(lambda q, d: 0, ["q00"], annotator="judge")
    Table(small.workspace.judgments / str(judge.id)).append(decided, {})
    learn(small.workspace, PROJECT)
    assert in_use(small) not in (before, BASE)


def test_once_all_answers_are_deleted_predictions_are_as_before_anybody_judged(small: Small) -> None:
    retriever = Retriever(small.workspace.root, NOWHERE)
    learn(small.workspace, PROJECT)
    assert retriever.ranker_of(PROJECT).version != retriever.ranker.version
    small.judge(list({j.annotation_id: j for j in small.table.current()}.values()), deleted=True)
    learn(small.workspace, PROJECT)
    assert retriever.ranker_of(PROJECT) == retriever.ranker


def test_a_dry_run_keeps_nothing(small: Small) -> None:
    found = learn(small.workspace, PROJECT, dry_run=True)
    assert found.learned is not None
    assert not found.used
    assert kept(small) == {}


def test_of_two_learners_one_is_told_to_wait(small: Small) -> None:
    with (
        files.locked(small.workspace.root / "models" / str(PROJECT) / ".lock", "learning"),
        pytest.raises(Mendable, match=f"learning from project {PROJECT} already"),
    ):
        learn(small.workspace, PROJECT)
    assert learn(small.workspace, PROJECT).used


def test_workers_agree_on_the_version_and_see_a_new_one_at_once(small: Small) -> None:
    workers = [Retriever(small.workspace.root, NOWHERE) for _ in range(2)]
    seen = {worker.ranker_of(PROJECT).version for worker in workers}
    learn(small.workspace, PROJECT)
    now = {worker.ranker_of(PROJECT).version for worker in workers}
    assert len(seen) == len(now) == 1
    assert seen != now
    assert {worker.version_of(PROJECT) for worker in workers} == now
    assert {worker.ranker_of(None).version for worker in workers} == seen
    assert {worker.ranker_of(PROJECT + 1).version for worker in workers} == seen


def test_of_several_projects_each_version_is_told_once(small: Small) -> None:
    retriever = Retriever(small.workspace.root, NOWHERE)
    assert retriever.versions() == [retriever.version_of(None)]
    learn(small.workspace, PROJECT)
    for number in (8, 9):
        settings.add_project(small.workspace.settings_path, f"p{number}", settings.Project(id=number))
    assert retriever.versions() == sorted([retriever.version_of(PROJECT), retriever.version_of(None)])


def test_where_a_project_assists_pools_are_shown_in_the_order_that_was_learned(small: Small) -> None:
    tiny.write_rows(small.workspace.corpus, [{"_id": d, "text": d} for d in small.items])
    written = small.workspace.settings_path.read_text().replace('"blind"', '"assist"').replace('"image"', '"text"')
    small.workspace.settings_path.write_text(written)
    before = compose.presenter(small.workspace, "main")
    plain = {query_id: before.arrange(pool) for query_id, pool in small.pools.items()}
    learn(small.workspace, PROJECT)
    after, ranker = compose.presenter(small.workspace, "main"), compose.ranker(small.workspace, PROJECT)
    changed = 0
    for pool in small.pools.values():
        shown = after.arrange(pool)
        if after.assisted(pool.query_id):
            scores = list(ranker.scores(pool.query_id, shown.candidates))
            assert scores == sorted(scores, reverse=True)
            changed += shown != plain[pool.query_id]
        else:
            assert shown == pool.shuffled()
        assert after.arrange(shown) == shown
    assert changed > 20


def test_a_version_that_keeps_nothing_leaves_the_model_version_as_it_was(tmp_path: Path) -> None:
    small = Small(tmp_path, queries=4)
    given = small.answers(lambda q, d: 1)
    by_pair = {(j.query_id, j.doc_id): j for j in given}
    scores = {(q, c.doc_id): c.score for q, p in small.pools.items() for c in p.candidates}
    far = [by_pair[pair] for pair, score in scores.items() if -1 < score < 1][:1]
    small.judge([far[0]])
    outcome = learn(small.workspace, PROJECT)
    assert outcome.learned is not None
    retriever = Retriever(small.workspace.root, NOWHERE)
    same = retriever.ranker_of(PROJECT).version == retriever.ranker.version
    assert same is not (outcome.learned.about.calibrated or outcome.learned.about.adapted)


def test_other_rules_and_other_encoders_make_it_void(small: Small) -> None:
    learn(small.workspace, PROJECT)
    retriever = Retriever(small.workspace.root, NOWHERE)
    rules = small.workspace.rules_path.read_text()
    small.workspace.rules_path.write_text(rules.replace("label: Exact", "label: Perfect"))
    assert retriever.ranker_of(PROJECT).learned is None
    small.workspace.rules_path.write_text(rules)
    assert retriever.ranker_of(PROJECT).learned is not None
    current = small.workspace.index / "current.json"
    current.write_text(current.read_text().replace("f" * 16, "e" * 16))
    assert retriever.ranker_of(PROJECT).learned is None


def test_answers_of_other_rules_do_not_teach(small: Small) -> None:
    rules = small.workspace.rules_path.read_text()
    small.workspace.rules_path.write_text(rules.replace("label: Exact", "label: Perfect"))
    assert teach(small.workspace, PROJECT) is None


def test_answers_of_models_do_not_teach(small: Small) -> None:
    names = sorted({j.annotator for j in small.table.current()})
    assert teach(small.workspace, PROJECT) is not None
    with small.workspace.settings_path.open("a") as settings:
        settings.write(f"[consensus]\nmodels = {names}\n")
    assert teach(Workspace(small.workspace.root), PROJECT) is None


@pytest.mark.parametrize("name", ["query.npy", "item.npy", "about.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "other", "pickle"])
def test_damaged_files_are_a_sentence_and_rank_as_if_nobody_had_judged(
    small: Small, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    learn(small.workspace, PROJECT)
    path = small.workspace.root / "models" / str(PROJECT) / in_use(small) / name
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    elif damage == "other":
        path.write_bytes(b"\0" * 100)
    else:
        with path.open("wb") as file:
            np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    retriever = Retriever(small.workspace.root, NOWHERE)
    assert retriever.ranker_of(PROJECT) == retriever.ranker
    assert f"project {PROJECT} is ranked as if nobody had judged: What was learned cannot be read" in caplog.text
    learn(small.workspace, PROJECT)  # learns it anew
    assert Retriever(small.workspace.root, NOWHERE).ranker_of(PROJECT).learned is not None


def test_numbers_that_were_changed_are_noticed(small: Small) -> None:
    learn(small.workspace, PROJECT)
    path = small.workspace.root / "models" / str(PROJECT) / in_use(small) / "about.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "slope": 1e9}))
    with pytest.raises(Unreadable, match="not those that were learned"):
        shelf_of(small.workspace, PROJECT).current()


@pytest.mark.parametrize("content", ["", "{", '{"version": "../../x"}', '{"version": 1}', '{"more": 1}'])
def test_a_damaged_pointer_is_a_sentence(small: Small, content: str) -> None:
    shelf = shelf_of(small.workspace, PROJECT)
    files.write(shelf.pointer_path, content)
    with pytest.raises(Unreadable, match="cannot be read"):
        shelf.current()
    assert Retriever(small.workspace.root, NOWHERE).ranker_of(PROJECT).learned is None


class Ones(RemoteEncoders):
    """Encodes everything as the same direction, and counts how often it is asked."""

    asked = 0

    def encode(self, encoder: str, modality: Modality, contents: Sequence[Content], fingerprint: str = "") -> Vectors:
        self.asked += 1
        return np.full((len(contents), tiny.DIM), tiny.DIM**-0.5, dtype=np.float32)


def test_the_vector_of_a_query_that_came_live_is_kept_for_what_will_be_learned(tiny_workspace: Workspace) -> None:
    encoders = Ones(Path("/nowhere"))
    query = Query(query_id="live", text="something that nobody asked before")
    for _ in range(2):
        Retriever(tiny_workspace.root, encoders).propose(query, "image")
    assert encoders.asked == 1
    corpus.add_live(tiny_workspace.queries, query)
    assert open_views(tiny_workspace).query("live").tolist() == pytest.approx([tiny.DIM**-0.5] * tiny.DIM)
    assert not open_views(tiny_workspace).query("never asked").any()


# going back


def grow(small: Small, day: int) -> str:
    """Another version: somebody grades one item anew."""
    pool = small.pools["q00"]
    small.judge(small.answers(lambda q, d: day % 4, [pool.query_id], annotator=f"day-{day}"))
    learn(small.workspace, PROJECT)
    return in_use(small)


def test_what_was_rolled_back_from_is_used_again_only_when_asked_for(small: Small) -> None:
    learn(small.workspace, PROJECT)
    first, second = in_use(small), grow(small, 1)
    shelf = shelf_of(small.workspace, PROJECT)
    shelf.roll_back(first)
    assert not learn(small.workspace, PROJECT).used
    assert in_use(small) == first
    third = grow(small, 2)
    assert third not in {first, second}
    shelf.roll_back(second)
    assert in_use(small) == second
    shelf.roll_back(learning.BASE)
    assert shelf.current() is None
    with pytest.raises(Mendable, match=r"no version 'x'(.|\n)*base"):
        shelf.roll_back("x")


def test_going_back_waits_for_who_is_learning(small: Small) -> None:
    learn(small.workspace, PROJECT)
    with ThreadPoolExecutor(1) as other:
        with files.locked(shelf_of(small.workspace, PROJECT).folder / ".lock", "learning"):
            going = other.submit(compose.learned, small.workspace, PROJECT, learning.BASE)
            time.sleep(0.2)
            assert in_use(small) != learning.BASE
        assert "in use" in going.result(30)[0]
    assert in_use(small) == learning.BASE


def test_the_last_twenty_versions_are_kept(small: Small) -> None:
    shelf = shelf_of(small.workspace, PROJECT)
    learned = learn(small.workspace, PROJECT).learned
    assert learned is not None
    for n in range(25):
        shelf.put(replace(learned, about=msgspec.structs.replace(learned.about, version=f"{n:016}")))
    assert len(shelf.pointer().learned) == 20
    assert len([path for path in shelf.folder.iterdir() if path.is_dir()]) == 20
    assert shelf.current() is not None


# predictions


@pytest.mark.parametrize("name", ["graded", "buckets", "ranking", "pairwise", "selection", "moment", "review"])
def test_predictions_of_every_form_follow_what_was_learned(small: Small, name: str) -> None:
    learn(small.workspace, PROJECT)
    retriever, pool = Retriever(small.workspace.root, NOWHERE), small.pools["q03"]
    cards = {c.doc_id: Card("") for c in pool.candidates}
    task = form(name).tasks(pool, Query(query_id="q03", text="x"), "x", cards, RULES, per_screen=8)[0]
    (predicted,) = retriever.predictor(PROJECT)([{"id": 1, **task}])
    (plain,) = retriever.predictor()([{"id": 1, **task}])
    assert predicted is not None
    assert plain is not None
    assert predicted["model_version"] == retriever.ranker_of(PROJECT).version != plain["model_version"]
    assert 0 <= predicted["score"] <= 1
    json.dumps(predicted)
    if name == "ranking":
        ranker = retriever.ranker_of(PROJECT)
        scores = dict(zip(cards, ranker.scores("q03", pool.candidates), strict=True))
        docs = task["meta"]["ls_retrieval"]["docs"]
        order = [docs[c] for c in predicted["result"][0]["value"]["ranker"]["ranking"]]
        assert order == sorted(docs.values(), key=lambda doc_id: -scores[doc_id])


def test_the_order_of_most_pools_changes_with_what_was_learned(small: Small) -> None:
    learn(small.workspace, PROJECT)
    ranker = Retriever(small.workspace.root, NOWHERE).ranker_of(PROJECT)
    before = {q: [c.score for c in pool.candidates] for q, pool in small.pools.items()}
    after = {q: ranker.scores(q, pool.candidates) for q, pool in small.pools.items()}
    assert sum(np.argsort(after[q]).tolist() != np.argsort(before[q]).tolist() for q in before) > 30


# the command


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["ls-retrieval", "learn", *map(str, arguments)])
    try:
        cli.main()
        code: object = 0
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    return int(str(code or 0)), said.out + said.err


def test_the_command_says_what_was_learned_lists_it_and_goes_back(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ("-w", small.workspace.root)
    code, said = run(monkeypatch, capsys, *here, "--dry-run")
    assert code == 0
    assert "held-out queries: kept" in said
    assert "would be used" in said
    assert kept(small) == {}
    code, said = run(monkeypatch, capsys, *here)
    assert f"version {in_use(small)} in use" in said
    code, said = run(monkeypatch, capsys, *here, "--list")
    assert said.splitlines()[0] == "base              before anybody judged"
    assert said.splitlines()[1] == f"{in_use(small)}  60 queries, 720 pairs; kept: order, grades  in use"
    version = in_use(small)
    code, said = run(monkeypatch, capsys, *here, "--roll-back", "base")
    assert said.splitlines()[0].endswith("in use")
    assert said.splitlines()[1].endswith("rolled back from")
    code, said = run(monkeypatch, capsys, *here)
    assert f"version {version} was rolled back from and is not used" in said
    assert run(monkeypatch, capsys, *here, "--roll-back", "nothing")[0] == 1


def test_without_judgments_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = Small(tmp_path)
    code, said = run(monkeypatch, capsys, "-w", small.workspace.root)
    assert code == 0
    assert said == "There is nothing to learn from: no judgment of the present rules and encoders.\n"
