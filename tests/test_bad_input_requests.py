"""Hostile requests to the backend, made of its description or of sound bodies: each is answered with a sentence."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hostile import Target, deadline, storm
from hypothesis import HealthCheck, given, settings
from reliability import Tally
from schemathesis.generation.modes import GenerationMode
from werkzeug.test import TestResponse

from ml_backend.app import create_app
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.guard import Credentials
from ml_backend.retriever import Retriever
from ml_backend.ui import guard
from store.workspace import Workspace

PAGE = Path(__file__).resolve().parent.parent / "docs" / "openapi.yaml"
DESCRIPTION: dict[str, Any] = yaml.safe_load(PAGE.read_text("utf-8"))
SCHEMA = schemathesis.openapi.from_dict(DESCRIPTION)
OPERATIONS = [(path, method) for path, one in DESCRIPTION["paths"].items() for method in one]
ATTACKS = [
    (*one, mode) for one in OPERATIONS for mode in GenerationMode if mode.value == "positive" or one[0] != "/health"
]
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"ls:secret").decode()}
ASKED = {"candidates": "image", "text": "a red thing", "positives": ["d1"], "settings": {"pool": {"size": 6}}}
BODIES: Mapping[str, list[object]] = {
    "/setup": [{"project": "3.17", "schema": "<View/>", "hostname": "http://x", "access_token": "t"}],
    "/predict": [
        {"tasks": [{"id": 7, "data": {"query": "red"}}], "project": "3.17", "params": {"context": None, "login": "x"}},
        {
            "tasks": [{"id": 1, "meta": {"ls_retrieval": {"v": 1, "docs": {"c0": "d1"}}}}],
            "params": {"context": {"result": []}},
        },
    ],
    "/webhook": [{"action": "TASKS_CREATED", "project": {"id": 3, "token": "secret"}, "tasks": [{"id": 1}]}],
    "/ui/pool": [ASKED, {"candidates": "mixed", "picture": base64.b64encode(b"GIF89a").decode()}],
    "/ui/settings": [{"settings": {"pool": {"size": 6}, "negatives": {"margin": None}}, "base": ""}],
}
LONG = pytest.mark.long
COUNTS = [10, pytest.param(1_000, marks=LONG)]


class Browser:
    """Who may ask anything: with login, cookie, token and origin."""

    def __init__(self, workspace: Workspace) -> None:
        retriever = Retriever(workspace.root, RemoteEncoders(workspace.root / "no-socket"))
        app = create_app(retriever, credentials=Credentials("ls", "secret"), secret="made up")
        self._client = app.test_client()
        self._client.get("/ui/", headers=LOGIN)
        cookie = self._client.get_cookie(guard.COOKIE, path="/ui")
        self._own = {**LOGIN, "Origin": "http://localhost", guard.HEADER: cookie.value if cookie else ""}
        self.rules = [*app.url_map.iter_rules()]

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """The answer, read whole. Headers of the request that a browser sends too are the browser's."""
        given = {name: value for name, value in (more.pop("headers", None) or {}).items() if _may_stand(name, value)}
        return self._client.open(path, method=method, headers={**given, **self._own}, buffered=True, **more)


def _may_stand(name: str, value: object) -> bool:
    """Whether a web server would let such a header through."""
    plain = re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", str(value)) is not None
    return plain and name.lower() not in {"content-type", "content-length", "host", "x-csrf-token", "cookie", "origin"}


def check(answer: TestResponse) -> None:
    """Answered, or refused with a sentence."""
    assert answer.status_code != 500, answer.text
    assert "Traceback" not in answer.text[:10_000]
    if answer.status_code >= 400:
        assert (answer.json or {})["error"]
        assert len(answer.data) < 20_000


@pytest.fixture(scope="module")
def browser_of(tiny_indexed: Workspace) -> Browser:
    return Browser(tiny_indexed)


def test_every_route_that_there_is_is_described(browser_of: Browser) -> None:
    def described(rule: str) -> str:
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)

    there = {
        (described(rule.rule), method.lower())
        for rule in browser_of.rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    assert set(OPERATIONS) == there


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("path", "method", "mode"), ATTACKS)
def test_what_the_description_allows_and_what_it_forbids_is_answered(
    browser_of: Browser, path: str, method: str, mode: GenerationMode, count: int, tally: Tally
) -> None:
    operation, asked = SCHEMA[path][method.upper()], []

    @settings(max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=[*HealthCheck])
    @given(operation.as_strategy(generation_mode=mode))
    def attack(case: Any) -> None:
        asked.append(case)
        sent = {"data": body(case.body), "content_type": "application/json"} if method == "post" else {}
        with deadline():
            answer = browser_of.ask(method, case.formatted_path, headers=case.headers, query_string=case.query, **sent)
        check(answer)

    try:
        attack()
    except Exception:
        tally.add(crashes=1)
        raise
    finally:
        tally.add(bad_inputs=len(asked), crashes=0)


def body(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()


@pytest.mark.parametrize("count", [60, pytest.param(3_000, marks=LONG)])
@pytest.mark.parametrize("path", BODIES)
def test_whatever_a_body_holds_is_answered(
    browser_of: Browser, path: str, count: int, tmp_path: Path, tally: Tally
) -> None:
    def post(file: Path) -> None:
        check(browser_of.ask("post", path, data=file.read_bytes(), content_type="application/json"))

    target = Target("body.json", [json.dumps(one).encode() for one in BODIES[path]], post)
    assert storm(target, tmp_path / "here", count, tally) == []


BOMB = '<!DOCTYPE l [<!ENTITY a "ha">' + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise("abcdefghijk"))
LABEL_CONFIGS = (
    f"{BOMB}]><View>&k;</View>",
    '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><View>&a;</View>',
    "<View>" * 100_000,
    "<View",
)


@pytest.mark.parametrize("config", LABEL_CONFIGS, ids=["entities", "a file", "depth", "cut off"])
def test_a_label_config_that_is_sent_is_not_even_read(browser_of: Browser, config: str) -> None:
    for path, name in (("/setup", "schema"), ("/predict", "label_config")):
        body_ = json.dumps({"tasks": [{"id": 1}], "project": "3.1", name: config})
        with deadline(1.0):
            answer = browser_of.ask("post", path, data=body_, content_type="application/json")
        assert answer.status_code == 200


HUGE: Mapping[str, Callable[[], bytes]] = {
    "brackets": lambda: b"[" * 100_000_000,
    "a string": lambda: b'{"tasks": [{"id": 1, "data": {"query": "' + b"x" * 100_000_000 + b'"}}]}',
    "tasks": lambda: b'{"tasks": [' + b'{"id":1},' * 11_000_000 + b'{"id":1}]}',
    "nested tasks": lambda: b'{"tasks": [{"id": 1, "data": ' + b'{"a":' * 20_000_000,
}


@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("path", ["/predict", *(pytest.param(one, marks=LONG) for one in ("/setup", "/ui/pool"))])
def test_a_hundred_megabytes_are_answered_in_seconds(browser_of: Browser, name: str, path: str, tally: Tally) -> None:
    content = HUGE[name]()
    with deadline():
        answer = browser_of.ask("post", path, data=content, content_type="application/json")
    tally.add(bad_inputs=1, crashes=0)
    check(answer)
