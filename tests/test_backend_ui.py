"""The admin's page, over HTTP: who gets in, what a pool is shown as, and how settings are written."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tiny
from flask.testing import FlaskClient
from tiny import write_rows

from ml_backend import library, pooling
from ml_backend.app import create_app
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.encoders.base import Encoder
from ml_backend.guard import Credentials
from ml_backend.retriever import Retriever
from ml_backend.rounds import prepared
from ml_backend.ui import guard, knobs
from store import pools
from store.corpus.rows import bare_query_id
from store.settings import Settings
from store.workspace import Workspace

RED = {"candidates": "image", "text": "a red thing"}  # a query of the workspace, whose vector is known
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"ls:secret").decode()}


class Page:
    """The page as a browser uses it: with its login, cookie, token and origin."""

    def __init__(self, workspace: Workspace, encoders: RemoteEncoders | None = None) -> None:
        nowhere = RemoteEncoders(workspace.root / "no-socket")
        app = create_app(Retriever(workspace.root, encoders or nowhere), credentials=Credentials("ls", "secret"))
        self.client: FlaskClient = app.test_client()
        self.html = self.client.get("/ui", headers=LOGIN).text
        self.token = re.findall(r'name="csrf-token" content="([^"]+)"', self.html)[0]

    def post(self, path: str, body: object, **headers: str | None) -> Any:
        """headers: what differs from those of a browser; None leaves one out. Underscores stand for hyphens."""
        usual = {**LOGIN, "Origin": "http://localhost", guard.HEADER: self.token, "Sec-Fetch-Site": "same-origin"}
        given = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in given.items() if value is not None}
        return self.client.post(f"/ui/{path}", data=json.dumps(body), content_type="application/json", headers=kept)

    def get(self, path: str, **sought: str) -> Any:
        return self.fetch(f"/ui/{path}", LOGIN, sought)

    def fetch(self, path: str, headers: Mapping[str, str] = LOGIN, sought: Mapping[str, str] | None = None) -> Any:
        """What a path gives, read whole."""
        return self.client.get(path, headers=headers, query_string=sought, buffered=True)

    def pool(self, **changes: Any) -> dict[str, Any]:
        answer = self.post("pool", {**RED, **changes})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json
        return found


@pytest.fixture
def page(tiny_indexed: Workspace) -> Page:
    """For reading: `own` is of a workspace to do with as the test likes."""
    return Page(tiny_indexed)


@pytest.fixture
def own(tiny_workspace: Workspace) -> Page:
    return Page(tiny_workspace)


class Local(RemoteEncoders):
    """A real encoder without the process between."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(Path("/nowhere"))
        self._encoder = encoder

    def encode(self, encoder: str, modality: Any, contents: Any, fingerprint: str = "") -> Any:
        assert fingerprint == self._encoder.fingerprint
        return self._encoder.encode(modality, contents)


@pytest.fixture(scope="session")
def loaded(tiny_indexed: Workspace) -> Encoder:
    return library.load_encoder(tiny_indexed, "clip")


@pytest.fixture
def seeing(tiny_indexed: Workspace, loaded: Encoder) -> Page:
    """A page whose encoders are loaded."""
    return Page(tiny_indexed, Local(loaded))


def picture(workspace: Workspace, name: str) -> str:
    return base64.b64encode((workspace.root / "media" / f"{name}.png").read_bytes()).decode()


def doc_ids(cards: list[dict[str, Any]]) -> list[str]:
    return [card["doc_id"] for card in cards]


# who gets in

READ = ["", "/state", "/thumb?doc_id=x", "/media?doc_id=x", "/static/ui.js", "/static/ui.css"]


@pytest.mark.parametrize("path", READ)
def test_nothing_is_shown_without_credentials(page: Page, path: str) -> None:
    assert page.client.get(f"/ui{path}").status_code == 401


@pytest.mark.parametrize("path", ["pool", "settings"])
def test_nothing_is_done_without_credentials(page: Page, path: str) -> None:
    assert page.post(path, {}, Authorization=None).status_code == 401


@pytest.mark.parametrize("path", ["pool", "settings"])
@pytest.mark.parametrize(
    "headers",
    [
        {guard.HEADER: None},
        {guard.HEADER: ""},
        {guard.HEADER: "x" * 43},
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:81"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_the_page_did_not_send_is_refused(
    own: Page, tiny_workspace: Workspace, path: str, headers: dict[str, str | None]
) -> None:
    before = tiny_workspace.settings_path.read_bytes()
    body = {"settings": {"pool": {"depth": 9}}, "base": "x"} if path == "settings" else RED
    refused = own.post(path, body, **headers)
    assert refused.status_code == 403
    assert refused.json["error"]
    assert tiny_workspace.settings_path.read_bytes() == before


def test_a_token_without_its_cookie_is_worth_nothing(page: Page) -> None:
    page.client.delete_cookie(guard.COOKIE, path="/ui")
    assert page.post("pool", RED).status_code == 403


def test_a_second_tab_has_the_same_token(page: Page) -> None:
    assert f'content="{page.token}"' in page.get("").text
    page.client.set_cookie(guard.COOKIE, '"><script>', path="/ui")  # somebody else's
    assert "<script>" not in re.sub(r"<script src=[^>]+>", "", page.get("").text)


def test_the_cookie_is_for_this_page_alone(page: Page) -> None:
    page.client.delete_cookie(guard.COOKIE, path="/ui")
    cookie = page.get("").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/ui" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize("path", [*READ, "/pool"])
def test_no_answer_lets_anything_foreign_in_or_itself_be_framed(page: Page, path: str) -> None:
    headers = page.fetch(f"/ui{path}").headers
    if path == "/pool":  # is for POST alone
        headers = page.post("pool", RED).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_page_holds_nothing_that_the_policy_forbids(page: Page) -> None:
    assert "<style" not in page.html
    assert not re.search(r"\s(style|on\w+)=", page.html)
    assert not re.search(r"<script(?! src=)", page.html)
    assert not re.search(r"(src|href)=\"(https?:|//)", page.html)


@pytest.mark.parametrize(("host", "status"), [("localhost:9090", 200), ("[::1]:9090", 200), ("evil.example", 403)])
def test_without_credentials_only_this_machines_own_names_are_answered(
    tiny_workspace: Workspace, host: str, status: int
) -> None:
    app = create_app(Retriever(tiny_workspace.root, RemoteEncoders(Path("/nowhere"))))
    for headers in ({}, LOGIN):
        assert app.test_client().get("/ui/state", headers={"Host": host, **headers}).status_code == status


@pytest.mark.parametrize(("path", "size"), [("settings", 65 * 1024), ("pool", 200 * 1024)])
def test_a_body_that_is_too_large_is_refused(tiny_workspace: Workspace, path: str, size: int) -> None:
    with tiny_workspace.settings_path.open("a") as file:
        file.write("[media]\nmax_bytes = 100_000\n")
    refused = Page(tiny_workspace).post(path, {"text": "x" * size})
    assert refused.status_code == 413
    assert "error" in refused.json


@pytest.mark.parametrize(
    "body", [[], {"candidates": "smell"}, {**RED, "picture": "!"}, {**RED, "x": 1}, {**RED, "text": 1}]
)
def test_a_malformed_request_gets_a_sentence(page: Page, body: object) -> None:
    refused = page.post("pool", body)
    assert refused.status_code == 400
    assert refused.json["error"].startswith("The request is not what the page sends: ")


# what there is


def test_the_state_tells_encoders_projects_settings_and_counts(own: Page, tiny_workspace: Workspace) -> None:
    with tiny_workspace.settings_path.open("a") as file:
        file.write('[projects.main]\nid = 3\ncandidates = "mixed"\n')
    state = own.get("state").json
    assert [(one["name"], one["items"]) for one in state["encoders"]] == [("clip", 24)]
    assert not state["ready"]
    assert state["queries"] == 6
    assert state["known"][0] == {"text": "a red thing", "modality": "text", "positives": 2}
    assert state["settings"]["pool.depth"] == 8
    assert state["settings"]["pool.max_depth"] is None
    assert state["candidates"][0] == {"value": "mixed", "label": "mixed · main"}
    assert [one["value"] for one in state["candidates"]] == ["mixed", "image", "text"]


def test_settings_that_cannot_be_read_are_told_with_every_problem(own: Page, tiny_workspace: Workspace) -> None:
    tiny_workspace.settings_path.write_text("[pool]\ndepth = 1\nhard = -1\n")
    told = own.get("state")
    assert told.status_code == 400
    assert [problem.partition(":")[0] for problem in told.json["problems"]] == ["pool.depth", "pool.hard"]


def test_every_knob_is_a_setting_and_its_limits_are_allowed() -> None:
    defaults = knobs.values(Settings())
    assert defaults.keys() == knobs.KNOBS.keys()
    for knob in knobs.KNOBS.values():
        assert knob.choices or knob.optional or defaults[knob.name] is not None
        limits = knob.choices or (knob.most, knob.least)
        for value in limits:
            together = {"max_depth": 64} if knob.key == "depth" else {}
            together |= {"depth": 2} if knob.key == "max_depth" else {}
            together |= {"range_max": 500} if knob.key == "range_min" else {}
            knobs.adjusted(Settings(), {knob.section: {**together, knob.key: value}})


# the pool


def test_the_pool_is_the_one_that_would_be_made_and_nothing_is_kept(own: Page, tiny_workspace: Workspace) -> None:
    def files() -> set[Path]:
        return {path for path in tiny_workspace.root.rglob("*") if path.is_file()}

    before = files()
    made = own.pool()
    collection = prepared(tiny_workspace, library.open_collection(tiny_workspace, "image", library.not_indexed))
    (query,) = [q for q in tiny_workspace.read_queries().records if q.query_id == "q-red"]
    expected = pooling.build(query, collection, tiny_workspace.settings).pool
    assert made["pool_id"] == expected.pool_id
    assert doc_ids(made["candidates"]) == [c.doc_id for c in expected.candidates]
    assert [c["role"] for c in made["candidates"]] == [c.role for c in expected.candidates]
    assert [c["score"] for c in made["candidates"]] == [c.score for c in expected.candidates]
    assert doc_ids(made["matches"]["cards"]) == ["red-circle", "red-square"]
    assert files() == before
    assert pools.load(tiny_workspace.pools) == {}


def test_turned_knobs_are_tried_and_not_written(own: Page, tiny_workspace: Workspace) -> None:
    before = tiny_workspace.settings_path.read_bytes()
    turned = {"pool": {"depth": 6, "hard": 3, "gold_share": 1}, "negatives": {"relative_margin": 0, "discarded": 0}}
    made = own.pool(settings=turned)
    roles = [card["role"] for card in made["candidates"]]
    assert len(roles) == 6
    assert roles.count("hard_negative") == 3
    assert roles.count("control") == 1
    assert tiny_workspace.settings_path.read_bytes() == before


def test_what_a_margin_keeps_out_and_what_would_come_next_stand_beside_the_pool(page: Page) -> None:
    wide = page.pool(settings={"negatives": {"relative_margin": 0.5}})  # random weights find all pictures alike
    assert "hard_negative" not in {card["role"] for card in wide["candidates"]}
    assert wide["waiting"]["count"] == 0
    assert wide["kept_out"]["count"] > 0
    (limit,) = wide["limits"]
    assert limit["highest"] == pytest.approx(limit["positive"] - abs(limit["positive"]) * 0.5)
    for card in wide["kept_out"]["cards"]:
        assert card["similar"]["clip"] > limit["highest"]

    none = page.pool(settings={"negatives": {"max_score": -1}})
    assert none["kept_out"]["count"] == none["waiting"]["count"] == 0


def test_nothing_stands_in_two_places(page: Page) -> None:
    made = page.pool(settings={"negatives": {"relative_margin": 0, "num_negatives": 20}})
    inside = set(doc_ids(made["candidates"]))
    matches, out, waiting = (set(doc_ids(made[name]["cards"])) for name in ("matches", "kept_out", "waiting"))
    assert out
    assert waiting
    assert not inside & (out | waiting)
    assert not matches & (out | waiting)


def test_an_item_that_is_taken_for_a_match_moves_the_margin(page: Page) -> None:
    (before,), farthest = page.pool()["limits"], min(page.pool()["candidates"], key=lambda c: c["similar"]["clip"])
    made = page.pool(positives=[farthest["doc_id"], "no-such-item"])
    (after,) = made["limits"]
    assert after["positive"] == pytest.approx(farthest["similar"]["clip"], abs=1e-4)
    assert after["positive"] < before["positive"]
    assert farthest["doc_id"] in doc_ids(made["matches"]["cards"])


def test_folded_near_duplicates_are_told_with_what_stands_for_them(page: Page) -> None:
    made = page.pool(settings={"pool": {"near_duplicate": 0.8}})
    assert made["folded"] > 0
    assert sum(len(card["stands_for"]) for card in made["candidates"]) == made["folded"]


def test_knobs_turn_no_further_than_their_limits(page: Page) -> None:
    wrong = {"pool": {"depth": 10**9, "gold_share": -0.5, "colour": 1}, "negatives": {"sampling_strategy": "best"}}
    refused = page.post("pool", {**RED, "settings": wrong})
    assert refused.status_code == 400
    assert [problem.partition(":")[0] for problem in refused.json["problems"]] == [
        "pool.depth",
        "pool.gold_share",
        "pool.colour",
    ]


def test_settings_that_contradict_each_other_are_told(page: Page) -> None:
    refused = page.post("pool", {**RED, "settings": {"pool": {"max_depth": 4}, "negatives": {"range_min": 41}}})
    assert refused.json["problems"] == [
        "pool: Value error, max_depth 4 is below depth 8",
        "negatives: Value error, range_min 41 is above range_max 40",
    ]


@pytest.mark.parametrize("empty", [{"text": " "}, {"text": "a red thing", "picture": "AAAA"}])
def test_words_or_a_picture_and_not_both(page: Page, empty: dict[str, str]) -> None:
    assert page.post("pool", {**RED, **empty}).status_code == 400


def test_while_encoders_load_the_page_is_told_to_come_again(own: Page, tiny_workspace: Workspace) -> None:
    for new in ({"text": "something new"}, {"text": "", "picture": picture(tiny_workspace, "red-bar")}):
        waiting = own.post("pool", {**RED, **new})
        assert waiting.status_code == 503
        assert waiting.json["retry"] is True


def test_a_typed_query_is_encoded_and_has_the_id_that_a_live_one_has(seeing: Page) -> None:
    made = seeing.pool(text="  something new ")
    assert made["query"]["known"] is False
    assert made["query"]["query_id"] == bare_query_id("something new")
    assert made["limits"][0]["highest"] is None
    assert len(made["candidates"]) == 8


# a picture as the query


def test_a_dropped_picture_finds_itself_and_is_not_kept(seeing: Page, tiny_indexed: Workspace) -> None:
    before = sorted(tiny_indexed.root.rglob("*"))
    made = seeing.pool(text="", picture=picture(tiny_indexed, "green-cross"))
    assert made["query"]["modality"] == "image"
    best = max(made["candidates"], key=lambda card: card["similar"]["clip"])
    assert best["doc_id"] == "green-cross"
    assert best["similar"]["clip"] == pytest.approx(1, abs=1e-3)
    assert sorted(tiny_indexed.root.rglob("*")) == before


@pytest.mark.parametrize(
    "content", [b"no picture", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_what_is_no_picture_is_refused_before_any_encoder_sees_it(page: Page, content: bytes) -> None:
    refused = page.post("pool", {**RED, "text": "", "picture": base64.b64encode(content).decode()})
    assert refused.status_code == 400
    assert refused.json["error"].startswith("What was dropped is no picture that can be read")


def test_a_picture_beyond_the_limits_of_media_is_refused(tiny_workspace: Workspace) -> None:
    dropped = picture(tiny_workspace, "red-bar")
    with tiny_workspace.settings_path.open("a") as file:
        file.write("[media]\nmax_pixels = 4095\n")
    refused = Page(tiny_workspace).post("pool", {**RED, "text": "", "picture": dropped})
    assert "64 x 64 pixels, more than 4095" in refused.json["error"]
    with tiny_workspace.settings_path.open("a") as file:
        file.write("max_bytes = 90\n")
    refused = Page(tiny_workspace).post("pool", {**RED, "text": "", "picture": dropped})
    assert "at most 90 are read" in refused.json["error"]


# pictures and recordings of the corpus


def test_a_picture_is_shown_small_and_is_asked_about_again(own: Page) -> None:
    sought = {"asked": "text", "candidates": "image", "doc_id": "red-square"}
    shown = own.get("thumb", **sought)
    assert shown.mimetype == "image/webp"
    assert shown.data[8:12] == b"WEBP"
    assert "no-cache" in shown.headers["Cache-Control"]
    again = own.fetch("/ui/thumb", {**LOGIN, "If-None-Match": shown.headers["ETag"]}, sought)
    assert again.status_code == 304


@pytest.mark.parametrize("route", ["thumb", "media"])
@pytest.mark.parametrize(
    "doc_id",
    ["../settings.toml", "..%2fsettings.toml", "/etc/passwd", "media/red-square.png", "settings.toml", "", "\0"],
)
def test_only_items_of_the_corpus_are_shown_by_id(page: Page, route: str, doc_id: str) -> None:
    refused = page.get(route, asked="text", candidates="image", doc_id=doc_id)
    assert refused.status_code == 404
    assert page.client.get(f"/ui/{route}/{doc_id}", headers=LOGIN).status_code in {308, 404}


@pytest.mark.parametrize("path", ["../pages.py", "..%2fpages.py", "%2e%2e/desk.py", "/etc/passwd"])
def test_no_file_but_the_pages_own_is_served(page: Page, path: str) -> None:
    assert page.client.get(f"/ui/static/{path}", headers=LOGIN).status_code in {308, 404}


@pytest.fixture
def several(tiny_model: Path, tmp_path: Path) -> Workspace:
    """A workspace of pictures, texts, films and sounds, of which the first encoder is indexed."""
    workspace = tiny.build_mixed_workspace(tmp_path / "several", tiny_model)
    library.build(workspace, {"see": library.load_encoder(workspace, "see")})
    return workspace


def test_films_are_sent_in_parts_and_texts_are_not_sent_as_files(several: Workspace) -> None:
    page = Page(several)
    film = (several.root / "media" / "film.mp4").read_bytes()
    sought = {"asked": "text", "candidates": "mixed", "doc_id": "second"}
    part = page.fetch("/ui/media", {**LOGIN, "Range": "bytes=4-11"}, sought)
    assert (part.status_code, part.mimetype, part.data) == (206, "video/mp4", film[4:12])
    for doc_id in ("words", "picture"):
        assert page.get("media", **{**sought, "doc_id": doc_id}).status_code == 404


def test_a_corpus_that_names_the_workspaces_secrets_does_not_show_them(tiny_workspace: Workspace) -> None:
    rows = [json.loads(line) for line in tiny_workspace.corpus.read_text().splitlines()]
    rows[0]["image"] = "../secret.png"
    write_rows(tiny_workspace.corpus, rows)
    (tiny_workspace.root.parent / "secret.png").write_bytes((tiny_workspace.root / rows[1]["image"]).read_bytes())
    refused = Page(tiny_workspace).get("thumb", asked="text", candidates="image", doc_id=rows[0]["_id"])
    assert refused.status_code == 400
    assert "outside the workspace" in refused.json["error"]


# settings

CHANGES = {"pool": {"depth": 12, "max_depth": 20}, "negatives": {"relative_margin": 0.1}}


def test_settings_are_shown_first_and_written_then(own: Page, tiny_workspace: Workspace) -> None:
    before = tiny_workspace.settings_path.read_text()
    seen = own.post("settings", {"settings": CHANGES}).json
    assert seen["written"] is False
    assert tiny_workspace.settings_path.read_text() == before
    added = [line for line in seen["diff"].splitlines() if line.startswith("+")]
    assert added == ["+depth = 12", "+max_depth = 20", "+", "+[negatives]", "+relative_margin = 0.1"]

    assert own.post("settings", {"settings": CHANGES, "base": seen["base"]}).json["written"] is True
    settings = tiny_workspace.settings
    assert (settings.pool.depth, settings.pool.max_depth, settings.negatives.relative_margin) == (12, 20, 0.1)
    assert "# random weights find all pictures alike" in tiny_workspace.settings_path.read_text()
    assert own.get("state").json["settings"]["pool.depth"] == 12


def test_a_file_that_somebody_else_changed_meanwhile_is_not_overwritten(own: Page, tiny_workspace: Workspace) -> None:
    seen = own.post("settings", {"settings": CHANGES}).json
    theirs = tiny_workspace.settings_path.read_text().replace("depth = 8", "depth = 10")
    tiny_workspace.settings_path.write_text(theirs)
    refused = own.post("settings", {"settings": CHANGES, "base": seen["base"]})
    assert refused.status_code == 409
    assert tiny_workspace.settings_path.read_text() == theirs


@pytest.mark.parametrize(
    "wrong",
    [
        {"media": {"allow_private": 1}},
        {"pool": {"depth": 1}},
        {"pool": {"proposers": "x"}},
        {"negatives": {"range_min": 100}},
        {"encoders": {"clip": "x"}},
    ],
)
def test_nothing_but_the_pages_own_settings_is_written_and_only_what_can_be_used(
    own: Page, tiny_workspace: Workspace, wrong: dict[str, Any]
) -> None:
    before = tiny_workspace.settings_path.read_bytes()
    refused = own.post("settings", {"settings": wrong})
    assert refused.status_code == 400
    assert refused.json["problems"]
    assert tiny_workspace.settings_path.read_bytes() == before
