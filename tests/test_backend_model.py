"""The class for label-studio-ml 2.x: on a base class of the documented signatures, and on the real one where it is.

With label-studio-ml 2.x in the environment, every test of a host runs a second time on it.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import lessons
import pytest

from label_configs.errors import Mendable
from label_configs.records import Query
from ls_retrieval import compose
from ml_backend import model
from ml_backend.encoder_service import RemoteEncoders
from ml_backend.kept import Kept
from ml_backend.learning import shelf_of
from ml_backend.learning.versions import BASE
from ml_backend.retriever import Retriever
from store import settings
from store.judgments import Table
from store.settings import Project
from store.workspace import Workspace

API = """
from .model import LabelStudioMLBase


def init_app(model_class, basic_auth_user=None, basic_auth_pass=None):
    if not issubclass(model_class, LabelStudioMLBase):
        raise ValueError
    return lambda: model_class
"""
DOCUMENTED = """
CACHE = {}


class LabelStudioMLBase:
    INITIAL_MODEL_VERSION = "0.0.1"

    def __init__(self, project_id=None, label_config=None):
        self.project_id = project_id or ""
        if not self.get("model_version"):
            self.set("model_version", self.INITIAL_MODEL_VERSION)
        self.setup()

    def setup(self):
        pass

    def get(self, key):
        return CACHE.get((self.project_id, key))

    def set(self, key, value):
        if not isinstance(value, str):
            raise ValueError("Value must be a string")
        CACHE[self.project_id, key] = value

    def predict(self, tasks, context=None, **kwargs):
        raise NotImplementedError

    def fit(self, event, data, **kwargs):
        raise NotImplementedError
"""


def installed() -> bool:
    try:
        return int(metadata.version("label-studio-ml").partition(".")[0]) >= model.OLDEST
    except metadata.PackageNotFoundError:
        return False


def write_package(folder: Path, version: str, source: str) -> None:
    """A distribution label-studio-ml of that version, as pip would have put it there."""
    package, told = folder / "label_studio_ml", folder / f"label_studio_ml-{version}.dist-info"
    package.mkdir()
    told.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text(source)
    (package / "api.py").write_text(API)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: label-studio-ml\nVersion: {version}\n")


def forget() -> None:
    model._model.cache_clear()
    model.retriever.cache_clear()
    model.trainer.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "label_studio_ml"]:
        del sys.modules[name]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder that packages are found in; what the module keeps is forgotten before and after."""
    forget()
    (tmp_path / "packages").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))  # where the real one keeps its cache
    yield tmp_path / "packages"
    forget()


@pytest.fixture(params=["documented", *(["installed"] if installed() else [])])
def host(request: pytest.FixtureRequest, clean: Path) -> type[Any]:
    """The class, on one of the bases."""
    if request.param == "documented":
        write_package(clean, "2.0.1.dev0", DOCUMENTED)
    found: type[Any] = model.RetrievalModel
    return found


@pytest.fixture
def workspace(tiny_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An indexed workspace with a project, the one that the environment names."""
    monkeypatch.setenv("LSR_WORKSPACE", str(tiny_workspace.root))
    settings.add_project(tiny_workspace.settings_path, "main", Project(id=3))
    return tiny_workspace


@pytest.fixture
def tasks(workspace: Workspace) -> list[dict[str, Any]]:
    """Two tasks of the workspace, and one of others between them."""
    presenter = compose.presenter(workspace, "main")
    proposer = Retriever(workspace.root, RemoteEncoders(Path("/nowhere")))

    def task(query: Query) -> dict[str, Any]:
        return dict(presenter.screens(proposer.propose(query, "image"), query)[0])

    red, blue = (task(presenter.queries[f"q-{colour}"]) for colour in ("red", "blue"))
    return [{"id": 1, **red}, {"id": 2, "data": {"text": "somebody else's"}, "meta": {}}, {"id": 3, **blue}]


def labelled(project: str, make: type[Any]) -> Any:
    """An object as label-studio-ml makes one for every request."""
    return make(project_id=project, label_config='<View><Text name="query" value="$query"/></View>')


# what it finds


def test_without_label_studio_ml_it_says_how_to_get_it(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(Mendable, match=r"label-studio-ml is not installed\.(?s:.*)docs/label-studio-ml\.md"):
        _ = model.RetrievalModel


def test_the_release_on_pypi_is_named_too_old_before_it_is_imported(clean: Path) -> None:
    write_package(clean, "1.0.9", "raise ZeroDivisionError")
    with pytest.raises(Mendable, match=r"1\.0\.9 is too old"):
        _ = model.RetrievalModel


def test_one_that_lacks_a_package_of_its_own_is_named(clean: Path) -> None:
    write_package(clean, "2.0.1", "import a_package_that_is_not_there")
    with pytest.raises(Mendable, match="cannot be imported: No module named 'a_package_that_is_not_there'"):
        _ = model.RetrievalModel


def test_the_module_has_nothing_else_of_that_kind() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'AnotherModel'"):
        _ = model.AnotherModel


# in a host


def test_every_request_gets_the_same_class_over_the_same_state(host: type[Any], workspace: Workspace) -> None:
    assert model.RetrievalModel is host
    assert host.__mro__[1].__name__ == "LabelStudioMLBase"
    assert host.__name__ == "RetrievalModel"
    assert model.retriever() is model.retriever()


def test_the_pages_backend_is_taken(host: type[Any]) -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "label-studio-ml.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    hosted: dict[str, Any] = {}
    exec(compile(source, "_wsgi.py", "exec"), hosted)  # noqa: S102 - the page's own lines
    assert hosted["RetrievalModel"] is host
    assert callable(hosted["app"])


def test_setup_tells_the_version_that_predictions_carry(
    host: type[Any], workspace: Workspace, tasks: list[dict[str, Any]]
) -> None:
    told = labelled("3", host).get("model_version")
    assert told == Retriever(workspace.root, RemoteEncoders(Path("/nowhere"))).ranker.version
    assert {result[0]["model_version"] for result in labelled("3", host).predict(tasks) if result} == {told}


def test_it_predicts_what_the_app_predicts(
    host: type[Any], workspace: Workspace, tasks: list[dict[str, Any]], app: Callable[..., Any]
) -> None:
    body = {"tasks": tasks, "project": "3.1700000000", "params": {"login": None, "password": None, "context": None}}
    expected = app().post("/predict", json=body).get_json()["results"]
    assert [len(result) for result in expected] == [1, 0, 1]
    assert labelled("3", host).predict(tasks, context=None, login=None, password=None) == expected


def test_nothing_in_nothing_out(host: type[Any], workspace: Workspace) -> None:
    assert labelled("3", host).predict([]) == []


@pytest.mark.parametrize("event", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED"])
def test_an_event_is_taken_and_nothing_in_it_is_believed(host: type[Any], workspace: Workspace, event: str) -> None:
    before = sorted(path for path in workspace.root.rglob("*"))
    data = {"project": {"id": 3}, "annotation": {"id": 1, "result": [{"value": {"choices": ["3"]}}]}}
    assert labelled("3", host).fit(event, data, job_id="1") == {"status": "ok", "event": event}
    assert sorted(path for path in workspace.root.rglob("*")) == before


def test_start_training_learns_what_was_pulled_of_a_project_of_ours(
    host: type[Any], workspace: Workspace, tasks: list[dict[str, Any]]
) -> None:
    (red, *_) = Kept(workspace.pools).all().values()
    for project in (3, 4):
        said = [lessons.judgment(red, c.doc_id, 1, project=project) for c in red.candidates]
        Table(workspace.judgments / str(project)).append(said, {})
        labelled(str(project), host).fit("START_TRAINING", {"project": {"id": project}})
    shelf = shelf_of(workspace, 3)
    deadline = time.monotonic() + 30
    while shelf.pointer().version == BASE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert shelf.pointer().version != BASE
    assert labelled("3", host).get("model_version") == model.retriever().ranker_of(3).version
    assert shelf_of(workspace, 4).pointer().version == BASE


# errors: label-studio-ml would send the traceback of any to whoever asked


def test_a_task_that_label_studio_would_not_send_is_left_out(
    host: type[Any], workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    assert labelled("3", host).predict([{"id": "one"}, {"id": 2}]) == [[], []]
    assert caplog.text == ""


def test_a_workspace_that_is_not_there_is_a_sentence_in_the_log(
    host: type[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LSR_WORKSPACE", str(tmp_path / "nowhere"))
    assert labelled("3", host).predict([{"id": 1, "data": {}}]) == [[]]
    assert "nowhere', which is no workspace" in caplog.text


def test_a_defect_is_told_to_the_log_alone(
    host: type[Any], workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Retriever, "predictor", lambda self, project: 1 / 0)
    assert labelled("3", host).predict([{"id": 1}, {"id": 2}]) == [[], []]
    assert "ZeroDivisionError" in caplog.text


@pytest.fixture
def app(workspace: Workspace) -> Callable[..., Any]:
    """A client of the backend's own app on the same workspace."""
    from ml_backend.app import create_app

    return create_app(Retriever(workspace.root, RemoteEncoders(Path("/nowhere")))).test_client
