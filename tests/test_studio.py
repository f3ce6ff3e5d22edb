"""A real Label Studio, started and stopped: who may reach it, whom it may call, and what it leaves behind."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError
from playwright.sync_api import Page

from label_configs.errors import Mendable
from ls_retrieval.studio import Account, Studio, running_studio

Sdk = Callable[[Account], LabelStudio]

XML = '<View><Text name="query" value="$query"/><TextArea name="answer" toName="query"/></View>'


@pytest.fixture(scope="module")
def client(studio: Studio, sdk: Sdk) -> LabelStudio:
    return sdk(studio.admin)


@pytest.fixture(scope="module")
def project(client: LabelStudio) -> int:
    created = client.projects.create(title="studio", label_config=XML).id
    assert created is not None
    return created


@pytest.fixture
def migrated(studio: Studio, tmp_path: Path) -> Path:
    """A data folder that has had its first start."""
    return Path(shutil.copytree(studio.folder, tmp_path / "data"))


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


# starting


def test_a_taken_port_is_named_before_anything_is_started_or_written(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(Mendable, match=f"Port {port}") as taken,
            running_studio(tmp_path / "data", program=Path(sys.executable), port=port),
        ):
            pass
    assert "choose another port" in taken.value.mend
    assert not (tmp_path / "data").exists()


def test_a_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    with (
        pytest.raises(Mendable, match="make install"),
        running_studio(tmp_path / "data", program=tmp_path / "label-studio"),
    ):
        pass


def test_a_program_that_dies_while_starting_shows_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "label-studio"
    program.write_text("#!/bin/sh\necho the disk is full\nexit 3\n")
    program.chmod(0o700)
    with pytest.raises(Mendable, match="the disk is full"), running_studio(tmp_path / "d", program=program):
        pass


# who may reach it


def test_secrets_and_data_are_for_their_owner_only(studio: Studio) -> None:
    studio.annotator("ada")
    secrets = [*studio.folder.rglob("password"), *studio.folder.rglob("token")]
    assert len(secrets) >= 4
    assert {mode(path) for path in secrets} == {"0o600"}
    assert mode(studio.folder / "label_studio.sqlite3") == "0o600"
    assert mode(studio.folder / "label-studio.log") == "0o600"


def test_no_secret_is_printed(studio: Studio) -> None:
    account = studio.annotator("ada")
    listed = subprocess.run(
        [shutil.which("ps") or "ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True
    )
    places = [listed.stdout, (studio.folder / "label-studio.log").read_text(), repr(studio), repr(account)]
    assert "label-studio start" in listed.stdout
    for secret in (studio.admin.password, studio.admin.token, account.password, account.token):
        assert not any(secret in place for place in places)


def test_the_invite_links_in_the_log_let_nobody_in(studio: Studio) -> None:
    studio.annotator("ada")
    links = re.findall(r"POST (/user/signup/\S+)", (studio.folder / "label-studio.log").read_text())
    assert links
    for link in set(links):
        with requests.Session() as stranger:
            stranger.get(studio.url + link, timeout=30)
            form = {"email": "eve@simulated.invalid", "password": "correct horse battery"}
            form["csrfmiddlewaretoken"] = stranger.cookies["csrftoken"]
            assert stranger.post(studio.url + link, data=form, timeout=30).status_code == 403


def test_it_listens_on_loopback_only(studio: Studio) -> None:
    port = int(studio.url.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.2", port), reuse_port=False) as neighbour:  # refused beside 0.0.0.0
        assert neighbour.getsockname() == ("127.0.0.2", port)


# accounts


def test_the_token_is_what_the_sdk_takes(client: LabelStudio, studio: Studio) -> None:
    assert client.users.whoami().email == studio.admin.email


def test_annotators_are_users_of_their_own_and_stay_the_same(studio: Studio, sdk: Sdk) -> None:
    ada, bob = studio.annotator("ada"), studio.annotator("bob")
    seen = [sdk(one).users.whoami() for one in (ada, bob)]
    assert [user.email for user in seen] == ["ada@simulated.invalid", "bob@simulated.invalid"]
    assert len({user.id for user in seen}) == 2
    assert studio.annotator("ada") == ada


def test_an_annotator_whose_token_was_lost_gets_a_new_one(studio: Studio, sdk: Sdk) -> None:
    before = studio.annotator("cleo")
    (studio.folder / "accounts" / "cleo" / "token").unlink()
    after = studio.annotator("cleo")
    assert after.token != before.token
    assert sdk(after).users.whoami().email == before.email
    with pytest.raises(ApiError) as refused:
        sdk(before).users.whoami()
    assert refused.value.status_code == 401


def test_a_name_that_is_a_path_is_refused(studio: Studio) -> None:
    with pytest.raises(Mendable, match="annotator's name"):
        studio.annotator("../ada")


# whom it may call


def test_a_backend_on_loopback_and_its_webhook_are_accepted(client: LabelStudio, project: int, stand_in: str) -> None:
    client.ml.create(project=project, url=stand_in, title="stand-in")
    assert [hook.url for hook in client.webhooks.list(project=project)] == [f"{stand_in}/webhook"]


@pytest.mark.parametrize("host", ["169.254.169.254", "10.1.2.3", "192.168.1.1", "172.17.0.1"])
def test_other_private_networks_stay_refused(client: LabelStudio, project: int, host: str) -> None:
    for connect in (client.ml.create, client.webhooks.create):
        with pytest.raises(ApiError) as refused:
            connect(project=project, url=f"http://{host}:9090")
        assert refused.value.status_code == 403
        assert "reserved network address" in str(refused.value.body)


def test_the_browser_is_sent_to_no_other_machine(page: Page, studio: Studio, project: int) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/projects/{project}/data")
    page.wait_for_load_state("networkidle")
    assert page.url.startswith(f"{studio.url}/projects/{project}/data")
    assert not [url for url in asked if not url.startswith((studio.url, "data:", "blob:"))]


# stopping


def test_a_failing_body_leaves_no_process(migrated: Path, label_studio: Path) -> None:
    groups: list[int] = []

    def fail_in_the_body() -> None:
        with running_studio(migrated, program=label_studio) as again:
            groups.append(again.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_in_the_body()
    assert is_gone(groups[0])


def test_sigterm_to_the_program_leaves_no_process(migrated: Path, label_studio: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from ls_retrieval.studio import running_studio\n"
        "with running_studio(Path(sys.argv[1]), program=Path(sys.argv[2])) as one:\n"
        "    print(one.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, migrated, label_studio], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        group = int(program.stdout.readline())
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 128 + signal.SIGTERM
    assert is_gone(group)
