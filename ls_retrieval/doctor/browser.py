"""Media as annotators' browsers get them: fetched from where the tasks say, as the account of the token."""

import html
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from label_configs.errors import Unreadable
from label_configs.forms.envelope import is_filled
from ls_retrieval.doctor.finding import Finding, fail, ok, warn
from ls_retrieval.doctor.server import Seen
from store import places
from sync import projects
from sync.label_studio import authorization
from sync.tasks import listing

if TYPE_CHECKING:
    import httpx

_TASKS = 20
"""So many tasks are looked at, and of each place that their media come from one medium."""
_PATIENCE = 30.0
_IN_HTML = re.compile(r'<(?:img|audio|video)\b[^>]*?\bsrc="([^"]*)"')
_VALUE = re.compile(r"\$(?:\w+\[0\]\.)?(\w+)")
_MEDIA = {"image", "audio", "video"}


class Shown(NamedTuple):
    """A medium that a task names. key: which field of it; media inside a card's html have none."""

    uri: str
    key: str = ""

    @property
    def place(self) -> str:
        """Where it comes from, as far as the host."""
        parts = urlsplit(self.uri)
        return f"{parts.scheme}://{parts.netloc}/" if parts.netloc else parts.path.rpartition("/")[0]


def check(seen: Seen) -> Iterator[Finding]:
    """One medium of every place that the first tasks name: it is there, is a medium, and may be read where it must."""
    tasks = filter(is_filled, islice(listing(seen.client, seen.project.id, page_size=_TASKS), _TASKS))
    found = {(shown.place, shown.key): shown for task in tasks for shown in _media(seen, task["data"])}
    readers = _readers(projects.config(seen.project, seen.workspace.rules), {"Image", "Audio"})
    for shown in found.values():
        yield _look(seen, shown, shown.key in readers)


def _media(seen: Seen, data: Mapping[str, Any]) -> Iterator[Shown]:
    if seen.project.query != "text":
        yield Shown(str(data.get("query", "")), "query")
    candidates: Iterable[Any] = data.get("candidates") or ()
    for candidate in filter(lambda one: isinstance(one, dict), candidates):
        if candidate.get("uri"):
            yield Shown(str(candidate["uri"]), "uri")
        yield from (Shown(html.unescape(uri)) for uri in _IN_HTML.findall(str(candidate.get("html", ""))))


def _readers(config: str, tags: set[str]) -> set[str]:
    """The fields whose media such tags read by script, which a browser lets them only where the host allows it."""
    values = [tag.get("value", "") for tag in ElementTree.fromstring(config).iter() if tag.tag in tags]  # noqa: S314 - made here
    return {match[1] for value in values if (match := _VALUE.fullmatch(value))}


def _look(seen: Seen, shown: Shown, is_read: bool) -> Finding:
    import httpx

    uri, named = shown.uri.partition("#")[0], f"a browser gets media of {shown.place}"
    if urlsplit(uri).scheme in places.BUCKETS:
        mend = "Run init again; or add a source storage with that bucket in the project's Settings, Cloud Storage."
        return fail(f"no storage of project {seen.name} shows browsers what lies in {shown.place}", mend)
    is_own = uri.startswith(("/", f"{seen.url}/"))
    if not is_own and not _trusted(seen, uri):
        mend = f'Where you trust it, add "{shown.place}" to allow under [media]; doctor fetches from nowhere else.'
        return warn(f"media of {shown.place} were not tried", mend)
    headers = {"Origin": _origin(seen.url)} | (authorization(seen.client) if is_own else {})
    url = f"{seen.url}{uri}" if uri.startswith("/") else uri
    look: list[Callable[..., Any]] = [] if is_own else [partial(_check_hop, seen)]  # its own leads to its storages
    try:
        with (
            httpx.Client(timeout=_PATIENCE, follow_redirects=True, event_hooks={"request": look}) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            problem = _problem(seen, answer, is_read)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = f"{places.named(uri)}: {error or type(error).__name__}"
    return (
        fail(f"a browser does not get media of {shown.place}: {problem}", _mend(seen, is_read))
        if problem
        else ok(named)
    )


def _problem(seen: Seen, answer: "httpx.Response", is_read: bool) -> str:
    """What is wrong with an answer; empty where a browser can show it."""
    kind = answer.headers.get("content-type", "nothing").partition(";")[0]
    if not answer.is_success:
        return f"the server answers {answer.status_code}"
    if kind.partition("/")[0] not in _MEDIA:
        return f"it comes as {kind}"
    origin = _origin(seen.url)
    allowed = answer.headers.get("access-control-allow-origin")
    if is_read and _origin(str(answer.url)) != origin and allowed not in {"*", origin}:
        return f"its host lets no page of {origin} read it (no Access-Control-Allow-Origin)"
    return ""


def _mend(seen: Seen, is_read: bool) -> str:
    serve = seen.workspace.settings.media.serve
    root = (seen.workspace.root / seen.workspace.settings.media.document_root).resolve()
    mends = {
        "local-files": "Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
        f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={root}, and run init: it adds the storage.",
        "http": "Start the server of `base` under [media], and let it give media their Content-Type"
        + (f" and the header Access-Control-Allow-Origin: {_origin(seen.url)}." if is_read else "."),
        "s3": "Check the project's storage in its Settings, Cloud Storage, and the bucket's CORS rules.",
    }
    return mends[serve]


def _trusted(seen: Seen, uri: str) -> bool:
    """Whether the settings name the place: tasks can be changed by whoever labels."""
    media = seen.workspace.settings.media
    try:
        places.check(uri, [*media.allow, *([media.base] if media.base else [])])
    except Unreadable:
        return False
    return True


def _check_hop(seen: Seen, request: "httpx.Request") -> None:
    """Refuse to be led to a place that the settings do not name."""
    import httpx

    if not _trusted(seen, str(request.url)):
        raise httpx.RequestError(f"it leads to {places.origin(str(request.url))}, which allow does not name")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
