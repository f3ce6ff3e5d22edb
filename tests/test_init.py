"""`init` on a real Label Studio: what it makes, that it repeats and asks beforehand, and refuses what would harm."""

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import backend_stand_in
import pytest
import tiny
from label_studio_sdk import LabelStudio
from playwright.sync_api import Page, expect
from shop import Shop
from sync_world import RULES, make_workspace

from label_configs.errors import Mendable
from label_configs.rules import preset
from ls_retrieval import cli
from ls_retrieval.admin import Wanted, init
from ls_retrieval.studio import Account, Studio
from store.workspace import Workspace
from sync import webhooks

Sdk = Callable[[Account], LabelStudio]
TEXTS = {"form": "graded", "query": "text", "candidates": "text", "mode": "blind", "votes": 2}


@pytest.fixture(scope="module")
def client(studio: Studio, sdk: Sdk) -> LabelStudio:
    return sdk(studio.admin)


@pytest.fixture(autouse=True)
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASIC_AUTH_USER", "BASIC_AUTH_PASS", "LSR_WEBHOOK_SECRET", "LSR_PSEUDONYM_KEY"):
        monkeypatch.delenv(name, raising=False)
    studio: Studio = request.getfixturevalue("studio")
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)


@pytest.fixture
def backend() -> Iterator[Shop]:
    with backend_stand_in.opened() as server:
        yield server


def made(root: Path, backend: str = "", *, dry_run: bool = False, **settings: Any) -> list[str]:
    return list(init(root, Wanted("main", "A project", backend, {**TEXTS, **settings}), dry_run=dry_run))


def hooks(client: LabelStudio, root: Path) -> list[Any]:
    return list(client.webhooks.list(project=str(Workspace(root).project("main").id)))


def backends(client: LabelStudio, root: Path) -> list[str]:
    return [one.url for one in client.ml.list(project=Workspace(root).project("main").id)]


def secret(root: Path) -> str:
    return (root / "webhook.secret").read_text().strip()


def writes(studio: Studio) -> list[str]:
    """The requests by which Label Studio was changed so far; a token that is refreshed changes nothing."""
    log = (studio.folder / "label-studio.log").read_text(errors="replace")
    return [line for line in re.findall(r"(?:POST|PUT|PATCH|DELETE) /api/\S+", log) if "/token/refresh" not in line]


# the backend and its webhook


def test_the_backend_gets_one_webhook_that_carries_the_secret_for_what_it_uses(
    client: LabelStudio, studio: Studio, sdk: Sdk, backend: Shop, tmp_path: Path
) -> None:
    assert made(tmp_path, backend.url)[-1].endswith("connected, webhook made, with the secret header")
    (hook,) = hooks(client, tmp_path)
    assert hooks(sdk(studio.annotator("ada")), tmp_path) == [hook]  # every member may see it, secret and all
    assert (hook.url, hook.headers) == (f"{backend.url}/webhook", {"X-LS-Retrieval-Secret": secret(tmp_path)})
    assert (hook.is_active, hook.send_payload, hook.send_for_all_actions) == (True, True, False)
    assert sorted(hook.actions) == sorted(webhooks.ACTIONS)
    assert stat.S_IMODE((tmp_path / "webhook.secret").stat().st_mode) == 0o600
    assert len(secret(tmp_path)) == 64


def test_tasks_and_answers_reach_the_backend_with_the_secret_and_nothing_else_does(
    client: LabelStudio, backend: Shop, tmp_path: Path
) -> None:
    made(tmp_path, backend.url)
    project = Workspace(tmp_path).project("main").id
    backend.asked.clear()
    client.projects.update(project, description="of no concern to the backend")
    client.projects.import_tasks(project, request=[{"data": {"query": "an owl", "candidates": []}}])  # type: ignore[list-item]
    task: Any = next(iter(client.tasks.list(project=project)))
    answer = client.annotations.create(task.id, result=tiny.graded_answer({0: 3}))
    client.annotations.update(answer.id or 0, result=tiny.graded_answer({0: 2}))
    client.annotations.delete(answer.id or 0)
    events = [headers for path, headers in backend.asked if path == "/webhook"]
    assert len(events) == 4
    assert {headers["X-LS-Retrieval-Secret"] for headers in events} == {secret(tmp_path)}


def test_the_secret_of_the_environment_counts_and_a_changed_one_reaches_the_webhook(
    client: LabelStudio, backend: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, done in (
        ("first", "connected, webhook made, with the secret header"),
        ("second", "webhook changed in headers"),
    ):
        monkeypatch.setenv("LSR_WEBHOOK_SECRET", given)
        assert made(tmp_path, backend.url)[-1] == f"ML backend {backend.url}: {done}"
        assert [hook.headers for hook in hooks(client, tmp_path)] == [{"X-LS-Retrieval-Secret": given}]
    assert not (tmp_path / "webhook.secret").exists()


def test_label_studios_own_webhook_and_doubles_are_replaced_and_those_of_others_stay(
    client: LabelStudio, backend: Shop, tmp_path: Path
) -> None:
    made(tmp_path)
    project = Workspace(tmp_path).project("main").id
    client.ml.create(project=project, url=backend.url)
    client.webhooks.create(project=project, url=f"{backend.url}/webhook")
    client.webhooks.create(project=project, url=f"{backend.url}/somebody/elses")
    done = "webhook changed in actions, headers, send_for_all_actions, 1 more webhooks to it removed"
    assert made(tmp_path, backend.url, dry_run=True)[-1] == f"ML backend {backend.url}: would be {done}"
    assert made(tmp_path, backend.url)[-1] == f"ML backend {backend.url}: {done}"
    urls = [(hook.url, bool(hook.headers)) for hook in hooks(client, tmp_path)]
    assert sorted(urls) == [(f"{backend.url}/somebody/elses", False), (f"{backend.url}/webhook", True)]


def test_a_backend_that_moved_leaves_nothing_behind(client: LabelStudio, backend: Shop, tmp_path: Path) -> None:
    with backend_stand_in.opened() as earlier:
        made(tmp_path, earlier.url)
    lines = made(tmp_path, backend.url)
    assert f"{earlier.url} taken out" in lines[-1]
    assert backends(client, tmp_path) == [backend.url]
    assert [hook.url for hook in hooks(client, tmp_path)] == [f"{backend.url}/webhook"]


def test_a_backend_that_is_not_taken_leaves_the_one_that_works(
    client: LabelStudio, backend: Shop, tmp_path: Path
) -> None:
    made(tmp_path, backend.url)
    with pytest.raises(Mendable, match="does not reach the ML backend"):
        made(tmp_path, "http://127.0.0.1:1")
    assert backends(client, tmp_path) == [backend.url]
    assert [hook.url for hook in hooks(client, tmp_path)] == [f"{backend.url}/webhook"]


def test_a_login_that_changed_is_given_anew(
    client: LabelStudio, backend: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, backend.url)
    monkeypatch.setenv("BASIC_AUTH_USER", "label-studio")
    monkeypatch.setenv("BASIC_AUTH_PASS", "made up here")
    assert made(tmp_path, backend.url)[-1].endswith("login given anew")
    assert made(tmp_path, backend.url)[-1].endswith("as it was")
    (row,) = client.ml.list(project=Workspace(tmp_path).project("main").id)
    assert (row.auth_method, row.basic_auth_user, row.basic_auth_pass_is_set) == ("BASIC_AUTH", "label-studio", True)
    backend.asked.clear()
    list(client.ml.list(project=Workspace(tmp_path).project("main").id))
    assert all(headers["Authorization"].startswith("Basic ") for _, headers in backend.asked)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://127.0.0.1:1", "does not reach the ML backend"),
        ("http://10.1.2.3:9090", "refuses a private address"),
        ("http://nowhere.invalid:9090", "does not know the host"),
    ],
)
def test_a_backend_that_label_studio_does_not_take_leaves_no_webhook(
    client: LabelStudio, tmp_path: Path, url: str, what: str
) -> None:
    with pytest.raises(Mendable, match=what) as refused:
        made(tmp_path, url)
    assert refused.value.mend
    assert (backends(client, tmp_path), hooks(client, tmp_path)) == ([], [])


def test_a_login_that_is_refused_or_half_given_is_named(
    backend: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.answers["/setup"] = backend_stand_in.locked
    with pytest.raises(Mendable, match="does not take the login"):
        made(tmp_path, backend.url)
    monkeypatch.setenv("BASIC_AUTH_USER", "label-studio")
    with pytest.raises(Mendable, match="Only one of BASIC_AUTH_USER and BASIC_AUTH_PASS"):
        made(tmp_path, backend.url)


# repeatable, and asked beforehand


def test_a_second_init_finds_everything_as_it_was_and_sends_nothing(
    studio: Studio, backend: Shop, document_root: Path
) -> None:
    root = document_root / "repeated"
    made(root, backend.url, candidates="image")
    sent = writes(studio)
    for dry_run in (False, True):
        lines = made(root, backend.url, candidates="image", dry_run=dry_run)
        assert [line.rpartition(" as it was")[2] for line in lines if not line.startswith("workspace")] == [""] * 3
    assert writes(studio) == sent


def test_a_dry_init_asks_what_would_change_and_changes_nothing(
    studio: Studio, client: LabelStudio, backend: Shop, document_root: Path
) -> None:
    root = document_root / "dry"
    made(root, candidates="image")
    workspace = Workspace(root)
    workspace.settings_path.write_text(workspace.settings_path.read_text().replace("votes = 2", "votes = 3"))
    client.import_storage.local.delete(
        client.import_storage.local.list(project=workspace.project("main").id)[0].id or 0
    )
    sent, files = writes(studio), sorted(root.rglob("*"))
    lines = made(root, backend.url, candidates="image", votes=3, dry_run=True)
    assert lines == [
        f"project main: {workspace.project('main').id}, would be changed maximum_annotations",
        f"media in {root / 'media'}: would be added as local storage",
        f"ML backend {backend.url}: would be connected, webhook made, with the secret header",
    ]
    assert (writes(studio), sorted(root.rglob("*"))) == (sent, files)
    done = made(root, backend.url, candidates="image", votes=3)[1:]
    assert done == [line.replace("would be ", "") for line in lines]


def test_init_again_needs_no_word_on_what_the_project_is(client: LabelStudio, tmp_path: Path) -> None:
    made(tmp_path, form="ranking", mode="assist")
    (line,) = init(tmp_path, Wanted("main", "main", "", {}), dry_run=True)
    assert line.endswith("as it was")
    assert Workspace(tmp_path).project("main").mode == "assist"


def test_queries_that_are_pictures_need_the_media_too(client: LabelStudio, document_root: Path) -> None:
    lines = made(document_root / "asked-by-picture", query="image")
    assert lines[-1].endswith("added as local storage")


# what is refused


@pytest.mark.parametrize("title", ["ab", "x" * 51])
def test_a_title_that_label_studio_does_not_take_is_named_before_anything_is_made(tmp_path: Path, title: str) -> None:
    for dry_run in (True, False):
        with pytest.raises(Mendable, match=f"has {len(title)} characters; Label Studio takes 3 to 50"):
            list(init(tmp_path / "w", Wanted("main", title, "", TEXTS), dry_run=dry_run))
    assert not (tmp_path / "w").exists()


def test_a_project_that_was_deleted_in_label_studio_says_how_to_go_on(client: LabelStudio, tmp_path: Path) -> None:
    made(tmp_path)
    project = Workspace(tmp_path).project("main").id
    client.projects.delete(project)
    for dry_run in (True, False):
        with pytest.raises(Mendable, match=f"holds no project {project}") as gone:
            made(tmp_path, dry_run=dry_run)
        assert "[projects.NAME]" in gone.value.mend


def test_changed_rules_of_a_project_with_answers_end_with_1_and_offer_a_new_project(
    client: LabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path)
    workspace = Workspace(tmp_path)
    project = workspace.project("main").id
    client.projects.import_tasks(project, request=[{"data": {"query": "an owl", "candidates": []}}])  # type: ignore[list-item]
    task: Any = next(iter(client.tasks.list(project=project)))
    client.annotations.create(task.id, result=tiny.graded_answer({0: 3}))
    workspace.rules_path.write_text(preset("binary"))
    before = client.projects.get(project)
    for more in ([], ["--dry-run"]):
        monkeypatch.setattr("sys.argv", ["ls-retrieval", "init", "-w", str(tmp_path), *more])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 1
        said = capsys.readouterr().err
        assert f"The config of project {project} cannot change: it holds 1 answers." in said
        assert "Make another project for the new rules: --project NAME." in said
    there = client.projects.get(project)
    assert (there.label_config, there.expert_instruction) == (before.label_config, before.expert_instruction)
    other = Wanted("other", "Other rules", "", TEXTS)
    assert next(line for line in init(tmp_path, other) if "made as" in line).startswith("project other: made as")


# what annotators see of it


def test_the_instructions_are_shown_before_labeling_and_go_by_a_key(
    page: Page, client: LabelStudio, tmp_path: Path
) -> None:
    workspace = make_workspace(tmp_path, candidates="text", labelled=False)
    list(init(tmp_path, Wanted("live", "With instructions", "", TEXTS)))
    project = workspace.project("live").id
    assert client.projects.get(project).expert_instruction == RULES.guideline()
    client.projects.import_tasks(project, request=[{"data": {"query": "an owl", "candidates": []}}])  # type: ignore[list-item]
    page.goto(f"/projects/{project}/data?labeling=1")
    shown = page.get_by_text("Everything that the query asks for is there.").first
    expect(shown).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Labeling Instructions")).to_have_count(0)
    expect(page.locator(".lsr-question")).to_contain_text("an owl")
