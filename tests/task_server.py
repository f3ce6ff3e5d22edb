"""A Label Studio of two addresses, as far as a pull asks: /api/tasks with filters and pages, /api/projects/ID,
and who asks.

It keeps tasks as a dict, moves `updated_at` by one clock of its own as the real one does (on create, edit and deletion
of an annotation), and fails when told to: a status, or "cut" for an answer that ends in the middle.
"""

import json
import operator
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from label_studio_sdk import LabelStudio
from sync_world import RULES

from label_configs import cards
from label_configs.forms import graded
from label_configs.records import Candidate, Item, Pool, Query
from store.times import TIME

_ACCOUNT: dict[str, dict[str, Any]] = {
    "/api/version/": {"release": "1.23.2"},
    "/api/current-user/whoami": {"id": 1, "email": "ada@example.org"},
}
DOCS = ("d1", "d2", "d3")


def task(query_id: str) -> dict[str, Any]:
    """A graded task of three candidates, as push makes it."""
    shown = tuple(Candidate(doc_id=d, source="dense") for d in DOCS)
    pool = Pool(query_id=query_id, candidates=shown, encoder="toy", index="i", seed=0)
    faces = {d: cards.card(Item(doc_id=d, text=f"text of {d}"), "") for d in DOCS}
    (made,) = graded.tasks(pool, Query(query_id=query_id, text=query_id), query_id, faces, RULES)
    return dict(made)


def grades(values: str) -> list[dict[str, Any]]:
    """The regions of an answer, a digit a card."""
    return [graded.answer(n, value) for n, value in enumerate(values)]


class World:
    """The project 7. faults: what the next answers are instead, the first first; retry_after: what those say.

    largest: tasks of a page at most, whatever is asked for.
    """

    def __init__(self) -> None:
        self.tasks: dict[int, dict[str, Any]] = {}
        self.faults: list[int | str] = []
        self.retry_after = ""
        self.largest = 10**6
        self.asked: list[str] = []
        self.clock = datetime(2026, 1, 1, tzinfo=UTC)
        self._last = 0

    def tick(self, seconds: float = 60.0) -> str:
        self.clock += timedelta(seconds=seconds)
        return self.clock.strftime(TIME)

    def add(self, query_id: str) -> int:
        self._last += 1
        row = {"id": self._last, "project": 7, "annotations": [], "updated_at": self.tick(), **task(query_id)}
        self.tasks[self._last] = row
        return self._last

    def annotate(self, task_id: int, values: str, user: int = 1, **more: Any) -> int:
        self._last += 1
        made = {"id": self._last, "completed_by": user, "result": grades(values), "was_cancelled": False, **more}
        self.tasks[task_id]["annotations"].append({**made, "updated_at": self.touch(task_id)})
        return self._last

    def edit(self, task_id: int, annotation_id: int, values: str) -> None:
        (found,) = [one for one in self.tasks[task_id]["annotations"] if one["id"] == annotation_id]
        found |= {"result": grades(values), "updated_at": self.touch(task_id)}

    def delete(self, task_id: int, annotation_id: int, *, silently: bool = False) -> None:
        there = self.tasks[task_id]["annotations"]
        self.tasks[task_id]["annotations"] = [one for one in there if one["id"] != annotation_id]
        if not silently:
            self.touch(task_id)

    def touch(self, task_id: int) -> str:
        self.tasks[task_id]["updated_at"] = time = self.tick()
        return time

    def export(self) -> list[dict[str, Any]]:
        """What the JSON export holds."""
        return [self._counted(row) for row in self.tasks.values()]

    def answer(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        url = urlsplit(path)
        if url.path in _ACCOUNT:
            return _ACCOUNT[url.path]
        if url.path.startswith("/api/projects/"):
            rows = list(map(self._counted, self.tasks.values()))
            totals = {"total_annotations_number": "total_annotations"}
            totals["skipped_annotations_number"] = "cancelled_annotations"
            counted = {name: sum(row[of] for row in rows) for name, of in totals.items()}
            return {"id": 7, "task_number": len(rows), **counted}
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        asked = json.loads(query["query"])
        rows = [row for row in self.tasks.values() if all(_passes(row, one) for one in asked["filters"]["items"])]
        rows.sort(key=lambda row: (row[asked["ordering"][0].removeprefix("tasks:")], row["id"]))
        page = [self._counted(row) for row in rows[: min(int(query["page_size"]), self.largest)]]
        if "include" in query:
            page = [{name: row.get(name) for name in query["include"].split(",")} for row in page]
        return {"tasks": page, "total": len(rows), "total_annotations": 0, "total_predictions": 0}

    def _counted(self, row: dict[str, Any]) -> dict[str, Any]:
        cancelled = sum(one["was_cancelled"] for one in row["annotations"])
        return {
            **row,
            "total_annotations": len(row["annotations"]) - cancelled,
            "cancelled_annotations": cancelled,
            "draft_exists": False,
        }


def _passes(row: dict[str, Any], item: dict[str, Any]) -> bool:
    mine, value = row[item["filter"].removeprefix("filter:tasks:")], item["value"]
    if item["operator"] == "in_list":
        return mine in value
    compared = {"greater_or_equal": operator.ge, "less_or_equal": operator.le, "greater": operator.gt}
    return bool({**compared, "equal": operator.eq}[item["operator"]](mine, value))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet
    world: World

    def do_GET(self) -> None:
        fault = self.world.faults.pop(0) if self.world.faults else 200
        content = json.dumps(self.world.answer(self.path) if fault in (200, "cut") else {"detail": "no"}).encode()
        self.send_response(fault if isinstance(fault, int) else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if fault != 200 and self.world.retry_after:
            self.send_header("Retry-After", self.world.retry_after)
        self.end_headers()
        self.wfile.write(content[:20] if fault == "cut" else content)
        self.close_connection = fault == "cut"

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The time that every answer tells: that of the world's clock."""
        return super().date_time_string(self.world.clock.timestamp())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(world: World) -> Iterator[str]:
    """The URL at which a world answers."""
    handler = type("Handler", (_Handler,), {"world": world})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def client_of(url: str) -> Iterator[LabelStudio]:
    """The SDK's client of that address."""
    with httpx.Client(timeout=10, trust_env=False) as connections:
        yield LabelStudio(base_url=url, api_key="a legacy token", httpx_client=connections)


@contextmanager
def client_within(world: World) -> Iterator[LabelStudio]:
    """The SDK's client of a world in the same process: no socket, for tests that ask a thousand times."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=world.answer(request.url.raw_path.decode()))

    with httpx.Client(transport=httpx.MockTransport(answer)) as connections:
        yield LabelStudio(base_url="http://within", api_key="a legacy token", httpx_client=connections)
