"""Media that a real Label Studio holds, and those that it shows from a bucket: tokens, storages, the page."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from label_studio_sdk import LabelStudio
from obstore.store import ObjectStore
from PIL import Image
from playwright.sync_api import Page, expect

from label_configs import rules as rules_file
from label_configs.errors import Mendable, Unreadable
from label_configs.forms.envelope import Task
from label_configs.records import Candidate, Item, Pool, Query
from ls_retrieval import compose
from ls_retrieval.admin import Wanted, init
from ls_retrieval.studio import Account, Studio
from store import corpus
from store.media import Media
from store.settings import Media as MediaSettings
from store.workspace import Workspace
from sync import media_storage
from sync.present import Presenter
from sync.push import push

Sdk = Callable[[Account], LabelStudio]
RULES = rules_file.parse(rules_file.preset())
XML = '<View><Image name="i" value="$image"/><TextArea name="t" toName="i"/></View>'


def picture(colour: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(made, "PNG")
    return made.getvalue()


def image(uri: str) -> Item:
    return Item(doc_id="d", modality="image", uri=uri)


def refused(media: Media, uri: str) -> str:
    with pytest.raises(Unreadable) as caught:
        media.read(image(uri))
    return str(caught.value)


@pytest.fixture(scope="module")
def admin(studio: Studio, sdk: Sdk) -> LabelStudio:
    return sdk(studio.admin)


@pytest.fixture(autouse=True)
def environment(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", studio.admin.token)


@pytest.fixture
def browse(studio: Studio) -> Iterator[requests.Session]:
    """A session that speaks for the administrator; paths are relative to Label Studio."""
    with requests.Session() as session:
        answer = session.post(f"{studio.url}/api/token/refresh/", json={"refresh": studio.admin.token}, timeout=30)
        session.headers["Authorization"] = f"Bearer {answer.json()['access']}"
        yield session


# --- what Label Studio holds


@pytest.fixture
def upload(admin: LabelStudio, studio: Studio, browse: requests.Session) -> Callable[[str, bytes], int]:
    """`upload(name, content)`: import a file as people do in the Label Studio UI; gives the project."""

    def imported(name: str, content: bytes) -> int:
        project = int(admin.projects.create(title="uploads", label_config=XML).id or 0)
        place = f"{studio.url}/api/projects/{project}/import"
        browse.post(place, files={name: (name, content, "image/png")}, timeout=30).raise_for_status()
        return project

    return imported


def exported(browse: requests.Session, studio: Studio, project: int) -> list[dict[str, Any]]:
    place = f"{studio.url}/api/projects/{project}/export?exportType=JSON&download_all_tasks=true"
    found: list[dict[str, Any]] = browse.get(place, timeout=30).json()
    return found


def test_the_export_of_a_project_of_uploads_is_a_corpus_that_can_be_read(
    studio: Studio, browse: requests.Session, upload: Callable[[str, bytes], int], tmp_path: Path
) -> None:
    tasks = exported(browse, studio, upload("a b#1.png", picture("red")))
    (tmp_path / "corpus.label-studio.json").write_text(json.dumps(tasks))
    [item] = corpus.items(tmp_path / "corpus.label-studio.json").records
    assert item.modality == "image"
    assert item.uri.startswith("/data/upload/")
    media = Media(tmp_path, MediaSettings())
    assert media.read(item) == picture("red")
    assert media.shown(item).startswith("/data/local-files/?d=media/thumbs/")


def test_uploads_are_read_with_a_legacy_token_where_those_are_allowed_and_else_it_is_told(
    studio: Studio,
    browse: requests.Session,
    upload: Callable[[str, bytes], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [task] = exported(browse, studio, upload("a.png", picture("green")))
    uri = task["data"]["image"]
    legacy = browse.get(f"{studio.url}/api/current-user/token", timeout=30).json()["token"]
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", legacy)
    assert "a legacy token where those are switched off" in refused(Media(tmp_path / "no", MediaSettings()), uri)
    allowed = f"{studio.url}/api/jwt/settings"
    browse.post(allowed, json={"legacy_api_tokens_enabled": True}, timeout=30).raise_for_status()
    try:
        assert Media(tmp_path, MediaSettings()).read(image(uri)) == picture("green")
    finally:
        browse.post(allowed, json={"legacy_api_tokens_enabled": False}, timeout=30).raise_for_status()


def test_a_token_that_is_wrong_or_was_revoked_is_told_and_not_shown(
    studio: Studio,
    browse: requests.Session,
    upload: Callable[[str, bytes], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [task] = exported(browse, studio, upload("a.png", picture("blue")))
    uri, token = task["data"]["image"], studio.annotator("mona").token
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", token)
    assert Media(tmp_path / "before", MediaSettings()).read(image(uri)) == picture("blue")
    browse.post(f"{studio.url}/api/token/blacklist/", json={"refresh": token}, timeout=30).raise_for_status()
    for number, key in enumerate((token, "wrong", "wrong.as.jwt")):
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", key)
        said = refused(Media(tmp_path / str(number), MediaSettings()), uri)
        assert "Label Studio does not give its media to this token" in said
        assert "Make a personal access token" in said
        assert key not in said.replace("It is wrong or revoked", "")


def test_an_upload_that_label_studio_does_not_have_is_told(tmp_path: Path) -> None:
    said = refused(Media(tmp_path, MediaSettings(tries=1)), "/data/upload/1/none.png")
    assert "an upload that it no longer has" in said


def test_local_files_come_through_the_server_where_they_are_on_another_machine(
    admin: LabelStudio, document_root: Path, tmp_path: Path
) -> None:
    folder = document_root / "served"
    folder.mkdir()
    (folder / "a b#ü.png").write_bytes(picture("red"))
    project = int(admin.projects.create(title="local files", label_config=XML).id or 0)
    admin.import_storage.local.create(project=project, path=str(folder), title="served", use_blob_urls=True)
    media = Media(tmp_path, MediaSettings())
    assert media.read(image("/data/local-files/?d=served/a%20b%23%C3%BC.png")) == picture("red")
    assert "the server answers 404" in refused(media, "/data/local-files/?d=served/none.png")


# --- what it shows from a bucket

PICTURES = {"query": "crimson", "d1": "seagreen", "d2": "royalblue"}
WANTED = Wanted(
    "main",
    "Pictures of a bucket",
    "",
    {"form": "graded", "query": "image", "candidates": "image", "mode": "blind", "votes": 1},
)


def started(root: Path, to: str = "s3://media/thumbs", more: str = "") -> Workspace:
    """A workspace of three pictures whose cards are served from a bucket."""
    workspace = compose.start_workspace(root)
    there = workspace.settings_path.read_text()
    serving = f'serve = "s3"\nto = "{to}"\n{more}'
    workspace.settings_path.write_text(there.replace('serve = "local-files"', f"{serving}#"))
    for name, colour in PICTURES.items():
        (root / f"{name}.png").write_bytes(picture(colour))
    return workspace


def storages(client: LabelStudio, workspace: Workspace) -> list[Any]:
    return list(client.import_storage.s3.list(project=workspace.project("main").id))


@pytest.mark.usefixtures("bucket")
def test_init_makes_one_storage_on_the_bucket_says_what_it_sent_and_keeps_no_secret(
    admin: LabelStudio,
    studio: Studio,
    browse: requests.Session,
    s3: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very secret")
    workspace = started(tmp_path)
    assert list(init(tmp_path, WANTED, dry_run=True))[-1] == "would let Label Studio read s3://media/thumbs"
    said = list(init(tmp_path, WANTED))[-1]
    assert said == (
        "media: Label Studio reads s3://media/thumbs; it was sent AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "which may write there: LABEL_STUDIO_AWS_ACCESS_KEY_ID names others"
    )
    [made] = storages(admin, workspace)
    assert (made.bucket, made.prefix, made.region_name) == ("media", "thumbs", "us-east-1")
    assert (made.presign, made.use_blob_urls) == (True, True)
    [raw] = browse.get(f"{studio.url}/api/storages/s3?project={made.project}", timeout=30).json()
    assert raw["s3_endpoint"] == s3  # which the SDK knows by another name, and drops
    monkeypatch.setenv("LABEL_STUDIO_AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("LABEL_STUDIO_AWS_SECRET_ACCESS_KEY", "other secret")
    said = list(init(tmp_path, WANTED))[-1]
    assert said.endswith("it was sent LABEL_STUDIO_AWS_ACCESS_KEY_ID and LABEL_STUDIO_AWS_SECRET_ACCESS_KEY")
    assert [one.id for one in storages(admin, workspace)] == [made.id]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(secret in content for content in kept for secret in (b"very secret", b"other secret"))


@pytest.mark.usefixtures("bucket")
def test_nothing_in_the_bucket_becomes_a_task_should_somebody_sync_the_storage(
    admin: LabelStudio, tmp_path: Path
) -> None:
    workspace = started(tmp_path)
    list(init(tmp_path, WANTED))
    [made] = storages(admin, workspace)
    admin.import_storage.s3.sync(made.id)
    assert list(admin.tasks.list(project=workspace.project("main").id)) == []


@pytest.mark.usefixtures("bucket")
def test_a_storage_that_somebody_made_on_the_bucket_is_left_alone(admin: LabelStudio, s3: str, tmp_path: Path) -> None:
    workspace = started(tmp_path)
    list(init(tmp_path, WANTED))
    [ours] = storages(admin, workspace)
    admin.import_storage.s3.update(
        ours.id,
        project=workspace.project("main").id,
        title="by hand",
        bucket="media",
        aws_access_key_id="id",
        aws_secret_access_key="key",
        region_name="us-east-1",
        request_options={"additional_body_parameters": {"s3_endpoint": s3}},
    )
    assert list(init(tmp_path, WANTED))[-1] == "media: Label Studio reads s3://media by the storage 'by hand'"
    assert [one.title for one in storages(admin, workspace)] == ["by hand"]


def test_a_bucket_that_label_studio_may_not_reach_or_cannot_is_told(
    bucket: ObjectStore, admin: LabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = started(tmp_path)
    list(init(tmp_path, WANTED))
    media, project = Media(tmp_path, workspace.settings.media), workspace.project("main")
    media.open_shelf()  # which reaches its bucket, and goes on doing so
    for endpoint, said in {
        "http://10.1.2.3:9000": "refuses http://10.1.2.3:9000 as the address of an S3 server",
        "http://127.0.0.1:9": "cannot read s3://media/thumbs",
    }.items():
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(Mendable, match=said):
            list(media_storage.ensure(admin, project, media))
    monkeypatch.undo()
    assert [one.prefix for one in storages(admin, workspace)] == ["thumbs"]


def test_other_clouds_are_left_to_the_admin_with_what_to_do(admin: LabelStudio, tmp_path: Path) -> None:
    workspace = started(tmp_path, to="gs://pictures/of/cards/")
    assert list(init(tmp_path, WANTED))[-1] == (
        "media: make a source storage of Google Cloud Storage by hand, in the project's settings under Cloud Storage: "
        "pictures, prefix of/cards, file filter $^; save it, and do not sync"
    )
    assert storages(admin, workspace) == []


@pytest.mark.parametrize("presign", ["true", "false"])
@pytest.mark.usefixtures("bucket")
def test_an_annotator_sees_the_pictures_that_lie_in_the_bucket(
    page: Page, admin: LabelStudio, browse: requests.Session, s3: str, tmp_path: Path, presign: str
) -> None:
    workspace = started(tmp_path, more=f"presign = {presign}\n")
    list(init(tmp_path, WANTED))
    project = workspace.project("main")
    presenter = Presenter(
        project=project,
        rules=RULES,
        per_screen=8,
        queries={"q": Query(query_id="q", modality="image", uri="query.png")},
        items={d: Item(doc_id=d, modality="image", uri=f"{d}.png") for d in ("d1", "d2")},
        media=Media(tmp_path, workspace.settings.media),
        predict=lambda task, pool: {"model_version": "toy", "score": 0.5, "result": []},
    )
    shown = tuple(Candidate(doc_id=d, source="dense") for d in ("d1", "d2"))
    tasks: list[Task] = list(presenter.tasks([Pool(query_id="q", candidates=shown, encoder="e", index="i", seed=0)]))
    assert push(admin, project, tasks).made == 1
    page.goto(f"/projects/{project.id}/data?labeling=1")
    expect(page.locator(".lsr-query")).to_be_visible(timeout=20_000)
    page.wait_for_load_state("networkidle")
    pictures = page.locator("img[src*='/resolve/']")
    expect(pictures).to_have_count(3)
    page.wait_for_function("[...document.querySelectorAll(\"img[src*='/resolve/']\")].every(i => i.complete)")
    assert pictures.evaluate_all("all => all.map(i => [i.naturalWidth, i.naturalHeight])") == [[40, 30]] * 3
    for uri in pictures.evaluate_all("all => all.map(i => i.src)"):
        answer = browse.get(uri, allow_redirects=False, timeout=30)
        signed = answer.headers.get("Location", "").startswith(f"{s3}/media/thumbs/")
        assert (answer.status_code, signed) == ((303, True) if presign == "true" else (200, False))
