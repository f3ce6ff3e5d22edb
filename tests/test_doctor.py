"""The doctor: what it looks at, that one fault hides no other, and that each is said with its mend."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import backend_stand_in
import pytest
import shop
import tiny
from label_studio_sdk import LabelStudio
from shop import Shop
from sync_world import make_workspace

from ls_retrieval import cli, compose, flow
from ls_retrieval.admin import Wanted, init
from ls_retrieval.doctor import ONLINE, Finding, browser, examine
from ls_retrieval.doctor.finding import run
from ls_retrieval.doctor.server import Seen
from ls_retrieval.studio import Account, Studio
from store import pools
from store.workspace import Workspace
from sync import projects
from sync.addresses import Barred, barred
from sync.tasks import listing

Sdk = Callable[[Account], LabelStudio]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Label Studio, but for the tests that name one."""
    for name in (
        "LABEL_STUDIO_URL",
        "LABEL_STUDIO_API_KEY",
        "BASIC_AUTH_USER",
        "BASIC_AUTH_PASS",
        "LSR_WEBHOOK_SECRET",
    ):
        monkeypatch.delenv(name, raising=False)


def of(topic: str, root: Path, **more: Any) -> list[Finding]:
    return [finding for finding in examine(root, **more) if finding.topic == topic]


def said(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.level, finding.what) for finding in findings]


# without Label Studio


def test_without_label_studio_it_says_so_and_looks_at_the_rest(tiny_workspace: Workspace) -> None:
    compose.start_workspace(tiny_workspace.root)
    found = list(examine(tiny_workspace.root))
    assert {finding.topic for finding in found} == {
        "rules",
        "settings",
        "corpus",
        "index",
        "pools",
        "secrets",
        "server",
    }
    assert [f for f in found if f.level != "ok"] == [
        Finding(
            "warn",
            "Label Studio was not looked at: LABEL_STUDIO_URL is not set",
            "export LABEL_STUDIO_URL=… and LABEL_STUDIO_API_KEY=…",
            "server",
        )
    ]


def test_a_warning_ends_with_0_a_failure_with_1_and_machines_get_json(
    tiny_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compose.start_workspace(tiny_workspace.root)
    monkeypatch.setattr("sys.argv", ["ls-retrieval", "doctor", "-w", str(tiny_workspace.root), "--json"])
    for code in (0, 1):
        with pytest.raises(SystemExit) as ended:
            cli.main()
        found = json.loads(capsys.readouterr().out)
        assert ended.value.code == code
        assert (
            {"FAIL"} <= {one["level"] for one in found} if code else {one["level"] for one in found} == {"ok", "warn"}
        )
        assert all(
            set(one) == {"level", "what", "mend", "topic"} and (one["level"] == "ok" or one["mend"]) for one in found
        )
        shutil.rmtree(tiny_workspace.index, ignore_errors=True)


def test_an_encoder_with_nothing_to_read_is_no_failure_and_items_without_vectors_are_counted(
    tiny_workspace: Workspace,
) -> None:
    with tiny_workspace.settings_path.open("a") as file:
        file.write('[encoders.hear]\nkind = "clap"\nmodel = "none"\n')
    (tiny_workspace.corpus).write_text(
        "".join(row + "\n" for row in tiny_workspace.corpus.read_text().splitlines()[:20])
        + json.dumps({"_id": "new", "image": "media/red-bar.png"})
        + "\n"
    )
    clip, new, hear = of("index", tiny_workspace.root)
    assert clip.what.startswith("encoder clip: index ")
    assert (new.level, new.what) == ("warn", "encoder clip: 1 items are not in the index")
    assert (hear.level, hear.what) == ("ok", "encoder hear: it reads audio and text, of which the corpus has none")


def test_the_models_are_compared_with_the_index_where_asked(tiny_workspace: Workspace, tmp_path: Path) -> None:
    assert [finding.level for finding in of("models", tiny_workspace.root, models=True)] == ["ok"]
    other = tiny.build_model(tmp_path / "other", seed=1)
    text = tiny_workspace.settings_path.read_text()
    tiny_workspace.settings_path.write_text(text.replace("local-dir:", f"local-dir:{other}#").split("#")[0] + '"\n')
    (finding,) = of("models", tiny_workspace.root, models=True)
    assert finding.level == "FAIL"
    assert "its index is of" in finding.what
    tiny_workspace.settings_path.write_text('[encoders.clip]\nmodel = "local-dir:nowhere"\n')
    assert of("models", tiny_workspace.root, models=True)[0].what.startswith("encoder clip does not load")
    assert of("models", tiny_workspace.root) == []


def test_pools_of_queries_that_are_gone_are_counted(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    workspace.queries.write_text(json.dumps({"_id": "q1", "text": "something red"}) + "\n")
    assert said(of("pools", tmp_path)) == [
        ("ok", "pools of 1 queries"),
        ("warn", "pools of 2 queries that are not there any more\n      q2\n      q3"),
    ]


# with a real Label Studio


@dataclass(frozen=True)
class Ward:
    """A workspace with a pushed project, a Label Studio that holds it, and a backend that is well."""

    client: LabelStudio
    url: str
    workspace: Workspace
    backend: Shop

    @property
    def seen(self) -> Seen:
        return Seen(self.client, self.url, self.workspace, "main", self.workspace.project("main"))

    def of(self, topic: str) -> list[Finding]:
        """The findings of a topic; where it is one of a project's own, no other is looked at."""
        if topic not in ONLINE:
            return of(topic, self.workspace.root)
        return list(run(topic, partial(ONLINE[topic], self.seen)))

    def tasks(self) -> list[dict[str, Any]]:
        return list(listing(self.client, self.workspace.project("main").id))


@pytest.fixture
def ward(
    studio: Studio, sdk: Sdk, document_root: Path, tiny_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ward]:
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)
    root = document_root / tiny_workspace.root.parent.name
    workspace = Workspace(Path(shutil.copytree(tiny_workspace.root, root)))
    with workspace.settings_path.open("a") as file:
        file.write('[media]\ndocument_root = ".."\n')
    with backend_stand_in.opened() as backend:
        list(init(root, Wanted("main", "A patient", backend.url, {})))
        compose.make_pools(workspace, "main")
        flow.push(workspace, "main")
        version = compose.ranker(workspace, workspace.project("main").id).version.encode()
        backend.answers["/setup"] = lambda handler: handler.send(body=b'{"model_version": "' + version + b'"}')
        yield Ward(sdk(studio.admin), studio.url, workspace, backend)


def test_a_healthy_project_is_well_in_every_topic(ward: Ward, studio: Studio) -> None:
    found = list(examine(ward.workspace.root))
    assert [finding for finding in found if finding.level != "ok"] == []
    assert {"server", "project", "backend", "webhook", "versions", "browser", "tasks"} <= {f.topic for f in found}
    assert [finding.what for finding in found if finding.topic == "server"] == [
        f"Label Studio 1.23.2 answers at {studio.url}",
        f"the token is a personal access token of {studio.admin.email}",
    ]
    assert any(finding.what == "a browser gets media of /data/local-files" for finding in found)


def test_what_differs_from_the_workspace_is_named(ward: Ward) -> None:
    project = ward.workspace.project("main").id
    ward.client.projects.update(project, maximum_annotations=7)
    assert said(ward.of("project"))[1:] == [("warn", "project main differs from the workspace in maximum_annotations")]
    earlier = compose.ranker(ward.workspace, project).version
    rules = ward.workspace.rules_path.read_text()
    ward.workspace.rules_path.write_text(rules.replace("Everything", "All"))
    later = compose.ranker(ward.workspace, project).version
    assert said(ward.of("versions"))[0][1] == f"main shows predictions of {earlier}; the workspace's is {later}"
    ward.backend.answers["/setup"] = lambda handler: handler.send(body=b'{"model_version": "elsewhere"}')
    assert "serves elsewhere, not the workspace's" in ward.of("versions")[-1].what


def test_a_project_that_is_gone_stops_no_other(ward: Ward) -> None:
    list(init(ward.workspace.root, Wanted("second", "Another one", "", {})))
    ward.client.projects.delete(ward.workspace.project("main").id)
    gone, there = ward.of("project")
    assert (gone.level, there.level) == ("FAIL", "ok")
    assert "delete its section [projects.NAME]" in gone.mend
    assert {finding.topic for finding in examine(ward.workspace.root)} >= {"backend", "versions", "tasks"}


def test_a_token_that_is_refused_and_an_address_that_is_wrong_are_failures_of_the_server(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "0" * 40)
    assert [level for level, _ in said(ward.of("server"))] == ["ok", "FAIL"]
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:1")
    assert [level for level, _ in said(ward.of("server"))] == ["FAIL"]


# the backend


def test_a_slow_backend_is_timed_against_what_label_studio_allows(ward: Ward) -> None:
    ward.backend.answers["/health"] = backend_stand_in.slow(1.1)
    found = said(ward.of("backend"))
    assert found[1] == ("FAIL", f"Label Studio does not reach the ML backend {ward.backend.url} within a second")
    assert found[2][0] == "FAIL"
    assert found[2][1].startswith("/health answers in 1.1")
    ward.backend.answers["/health"] = backend_stand_in.slow(0.6)
    assert [level for level, _ in said(ward.of("backend"))] == ["ok", "ok", "warn", "ok"]


def test_a_backend_that_is_locked_or_gone_says_which(ward: Ward) -> None:
    ward.backend.answers["/setup"] = backend_stand_in.locked
    found = ward.of("backend")
    assert found[1].what.endswith("does not take the login that Label Studio sends")
    assert "BASIC_AUTH_USER" in found[1].mend
    assert found[3] == Finding(
        "warn",
        "/setup asks for another login than the environment gives",
        "Set BASIC_AUTH_USER and BASIC_AUTH_PASS here as they are where it runs.",
        "backend",
    )
    ward.backend.server_close()
    ward.backend.shutdown()
    assert [level for level, _ in said(ward.of("backend"))] == ["ok", "FAIL", "FAIL"]


def test_addresses_that_label_studio_bars_name_the_setting_and_asking_makes_nothing(ward: Ward) -> None:
    project = ward.workspace.project("main")
    before = [[one.id for one in there] for there in (projects.backends(ward.client, project), hooks(ward))]
    assert barred(ward.client, project, ward.backend.url) == []
    assert barred(ward.client, project, "http://10.1.2.3:9090") == [
        Barred("http://10.1.2.3:9090", "ML_BLOCK_LOCAL_IP"),
        Barred("http://10.1.2.3:9090/webhook", "SSRF_PROTECTION_ENABLED"),
    ]
    unknown = barred(ward.client, project, "http://nowhere.invalid:9090")
    assert [one.setting for one in unknown] == ["", ""]
    assert [[one.id for one in there] for there in (projects.backends(ward.client, project), hooks(ward))] == before


# webhooks


def hooks(ward: Ward) -> list[Any]:
    return list(ward.client.webhooks.list(project=str(ward.workspace.project("main").id)))


def test_a_webhook_without_the_secret_is_a_failure_and_one_that_is_off_a_warning(ward: Ward) -> None:
    (hook,) = hooks(ward)
    for changed, level, what in (
        ({"is_active": False}, "warn", "is switched off"),
        ({"headers": {"X-LS-Retrieval-Secret": "stale"}}, "FAIL", "carries another secret"),
        ({"headers": {}}, "FAIL", "carries no secret"),
    ):
        ward.client.webhooks.update(hook.id, url=hook.url, **changed)
        (finding,) = ward.of("webhook")
        assert finding.level == level
        assert what in finding.what
        assert finding.mend.endswith(f"--backend {ward.backend.url}")
    ward.client.webhooks.delete(hook.id)
    assert said(ward.of("webhook"))[0][0] == "warn"
    list(init(ward.workspace.root, Wanted("main", "A patient", ward.backend.url, {})))
    assert [finding.level for finding in ward.of("webhook")] == ["ok"]


def test_webhooks_that_are_left_over_or_double_are_named_and_those_of_others_are_not(ward: Ward) -> None:
    project = ward.workspace.project("main").id
    for path in ("/earlier/webhook", "/webhook", "/somebody/elses"):
        ward.client.webhooks.create(project=project, url=f"{ward.backend.url}{path}")
    second, well, stray = ward.of("webhook")
    assert second.what.endswith("every event comes twice")
    assert well.level == "ok"
    assert stray.what == f"the webhook {ward.backend.url}/earlier/webhook leads to no connected ML backend"


# media as a browser gets them


def test_a_thumbnail_that_is_gone_is_a_failure(ward: Ward) -> None:
    shutil.rmtree(ward.workspace.thumbnails)
    (finding,) = ward.of("browser")
    assert finding.level == "FAIL"
    assert "the server answers 404" in finding.what
    assert "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true" in finding.mend


def test_media_of_a_host_are_fetched_where_the_settings_trust_it_and_must_allow_scripts_where_a_tag_reads_them(
    ward: Ward,
) -> None:
    with shop.opened() as host:
        shown = browser.Shown(f"{host.url}/owl.png", "query")

        def look(is_read: bool, **headers: str) -> tuple[str, str]:
            host.answers["/owl.png"] = lambda handler: handler.send(200, b"x", **headers)
            finding = browser._look(ward.seen, shown, is_read)
            return finding.level, finding.what

        assert look(True)[0] == "warn"
        assert host.asked == []
        text = ward.workspace.settings_path.read_text()
        trusted = f'serve = "http"\nallow = ["{host.url}/"]'
        ward.workspace.settings_path.write_text(text.replace('document_root = ".."', trusted))
        assert look(False, Content_Type="image/png")[0] == "ok"
        assert "lets no page" in look(True, Content_Type="image/png")[1]
        assert look(True, Content_Type="image/png", Access_Control_Allow_Origin="*")[0] == "ok"
        assert look(True, Content_Type="image/png", Access_Control_Allow_Origin=ward.url)[0] == "ok"
        assert "it comes as text/html" in look(False, Content_Type="text/html")[1]
        assert all("Authorization" not in headers for _, headers in host.asked)


def test_a_bucket_that_no_storage_shows_is_a_failure(ward: Ward) -> None:
    finding = browser._look(ward.seen, browser.Shown("s3://media/owl.png"), is_read=False)
    assert (finding.level, finding.what.split(" of ")[0]) == ("FAIL", "no storage")


@pytest.mark.parametrize(
    ("form", "query", "candidates", "read"),
    [
        ("graded", "text", "image", set()),
        ("graded", "image", "text", {"query"}),
        ("graded", "audio", "text", {"query"}),
        ("moment", "text", "audio", {"uri"}),
        ("moment", "image", "video", {"query"}),
    ],
)
def test_which_media_scripts_read_follows_from_the_tags_of_the_form(
    form: str, query: Any, candidates: Any, read: set[str]
) -> None:
    from sync_world import RULES

    from store.settings import Project

    config = projects.config(Project(id=0, form=form, query=query, candidates=candidates), RULES)
    assert browser._readers(config, {"Image", "Audio"}) == read


# tasks


def test_tasks_of_unknown_pools_and_rules_are_named(ward: Ward) -> None:
    ward_tasks, project = ward.tasks(), ward.workspace.project("main").id
    strange = {**ward_tasks[0]["meta"]["ls_retrieval"], "pool_id": "unknown", "rules_hash": "0123456789abcdef"}
    task = {"data": ward_tasks[0]["data"], "meta": {"ls_retrieval": strange}}
    ward.client.projects.import_tasks(project, request=[task, {"data": {"query": "an owl", "candidates": []}}])  # type: ignore[list-item]
    there, lost, unread = ward.of("tasks")
    assert there.what == f"{len(ward_tasks) + 1} tasks with candidates, 1 without"
    assert lost.what.startswith("1 tasks are of pools that the workspace does not hold")
    assert (unread.level, "rules/0123456789abcdef.yaml" in unread.mend) == ("FAIL", True)
    pools.append(ward.workspace.pools, [replace(one, seed=1) for one in list(pools.each(ward.workspace.pools))[:1]])
    assert len(ward.of("tasks")) == 3
