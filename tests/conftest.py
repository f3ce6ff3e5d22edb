"""What the tests share: one real Label Studio for the whole run, its SDK, and a browser logged in to it."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import requests
import tiny
from label_studio_sdk import LabelStudio
from obstore.store import ObjectStore, from_url
from playwright.sync_api import Browser, Page, StorageState, ViewportSize, sync_playwright
from swift_server import in_memory, make_bucket, running_swift

from ls_retrieval.studio import Account, Studio, running_studio
from ml_backend import library
from store.workspace import Workspace

pytest_plugins = ["reliability"]
REPOSITORY = Path(__file__).resolve().parent.parent
CHROMIUM_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name in {"studio", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(name)


@pytest.fixture(scope="session")
def label_studio() -> Path:
    """The `label-studio` command; where it is missing, starting it says how to get it."""
    default = REPOSITORY / ".venv-label-studio" / "bin" / "label-studio"
    return Path(os.environ.get("LSR_LABEL_STUDIO", default))


@pytest.fixture(scope="session")
def document_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that Label Studio may serve local files from: put a test's media in a subfolder."""
    return tmp_path_factory.mktemp("documents")


@pytest.fixture(scope="session")
def studio(label_studio: Path, document_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("label-studio")
    with running_studio(folder, program=label_studio, document_root=document_root) as running:
        yield running


@pytest.fixture(scope="session")
def sdk(studio: Studio) -> Iterator[Callable[[Account], LabelStudio]]:
    """`sdk(account)`: the SDK's client as that user, its connections closed at the end of the run."""
    with ExitStack() as connections:

        def connect(account: Account) -> LabelStudio:
            http = connections.enter_context(httpx.Client(timeout=60, trust_env=False))
            return LabelStudio(base_url=studio.url, api_key=account.token, httpx_client=http)

        yield connect


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium", path="/usr/bin")
    if chromium is None:
        lacking = pytest.fail if os.environ.get("CI") else pytest.skip
        lacking("Chromium is not installed: install your system's `chromium` package.")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=CHROMIUM_ARGUMENTS.split(), chromium_sandbox=False
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def admin_cookies(browser: Browser, studio: Studio) -> StorageState:
    context = browser.new_context(base_url=studio.url)
    page = context.new_page()
    page.goto("/user/login/")
    page.fill("input[name=email]", studio.admin.email)
    page.fill("input[name=password]", studio.admin.password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
    cookies = context.storage_state()
    context.close()
    return cookies


@pytest.fixture
def page(browser: Browser, studio: Studio, admin_cookies: StorageState) -> Iterator[Page]:
    """A fresh page, logged in as the administrator; `page.goto("/projects")` is relative to Label Studio."""
    viewport = ViewportSize(width=1400, height=900)
    context = browser.new_context(base_url=studio.url, storage_state=admin_cookies, viewport=viewport)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real open_clip model folder with random weights; 32 dimensions, 64 pixels."""
    return tiny.build_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_indexed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of 24 pictures and six queries, indexed by that model. For reading: `tiny_workspace` is a copy."""
    workspace = tiny.build_workspace(tmp_path_factory.mktemp("tiny-workspace"), tiny_model)
    library.build(workspace, {"clip": library.load_encoder(workspace, "clip")})
    return workspace


@pytest.fixture
def tiny_workspace(tiny_indexed: Workspace, tmp_path: Path) -> Workspace:
    """The indexed workspace, to do with as the test likes."""
    return Workspace(Path(shutil.copytree(tiny_indexed.root, tmp_path / "workspace")))


class StandIn(BaseHTTPRequestHandler):
    """The least that Label Studio takes for an ML backend; as a Label Studio it is version 1.10."""

    def answer(self) -> None:
        body = b'{"status": "UP", "model_version": "v1", "release": "1.10.0", "id": 1, "email": "x@example.org"}'
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def stand_in() -> Iterator[str]:
    """The URL of such a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server with a bucket `media`."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    requests.put(f"http://{host}:{port}/media", timeout=10).raise_for_status()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment that leads to a Swift with its S3 interface, which holds a bucket `train`."""
    folder = tmp_path_factory.mktemp("swift")
    with in_memory(folder) as root, running_swift(root / "servers") as environment:
        make_bucket(environment, "train")
        yield environment


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """That bucket, its server named in the environment."""
    given = {"ENDPOINT_URL": s3, "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key"}
    for name, value in given.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return from_url("s3://media", client_options={"allow_http": True})
