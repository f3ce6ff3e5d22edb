"""The ML backend: whether Label Studio may call it and reaches it, and how fast it answers from here."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ls_retrieval.doctor.finding import Finding, fail, ok, warn
from ls_retrieval.doctor.server import Seen
from store import secrets
from sync import projects
from sync.addresses import barred

if TYPE_CHECKING:
    import httpx
    from label_studio_sdk.types.ml_backend import MlBackend

LIMITS = {"health": 1.0, "setup": 3.0}
"""Seconds that Label Studio gives each."""
_PATIENCE = 10.0
_TAKE_OUT = "Remove the others in the project's Settings, Model; `init --backend URL` does so too."
_SLOW = "Give the backend's machine more processor, or more --workers."
_BARS = (
    "Start Label Studio with {setting}=false; or, to keep its protection for all other addresses, as "
    "docs/label-studio.md says: USE_DEFAULT_BANNED_SUBNETS=false and USER_ADDITIONAL_BANNED_SUBNETS."
)


def check(seen: Seen) -> Iterator[Finding]:
    """Every backend of the project, as Label Studio sees it and as it is seen from here."""
    there = projects.backends(seen.client, seen.project)
    if not there:
        yield ok(f"{seen.name} has no ML backend; `init --backend URL` connects one")
    if len(there) > 1:
        others = [one.url for one in there[1:]]
        yield warn(
            f"{seen.name} has {len(there)} ML backends, Label Studio asks {there[0].url} alone", _TAKE_OUT, others
        )
    for one in there[:1]:
        yield from _addresses(seen, one.url)
        yield _state(seen, one)
        yield from _from_here(seen, one)


def _addresses(seen: Seen, url: str) -> Iterator[Finding]:
    """Whether Label Studio's protection lets it call the backend and its webhook: two settings."""
    found = barred(seen.client, seen.project, url)
    for one in found:
        if one.setting:
            yield fail(f"Label Studio may not call {one.url}: {one.setting} bars it", _BARS.format(setting=one.setting))
        else:
            mend = "Give the backend's address as Label Studio reaches it: ls-retrieval init --backend URL"
            yield fail(f"Label Studio does not know the host of {one.url}", mend)
    if not found:
        yield ok(f"Label Studio may call {url} and its webhook")


def _state(seen: Seen, one: "MlBackend") -> Finding:
    """What Label Studio found when it asked the backend a moment ago."""
    if one.state in {"CO", "TR", "PR"}:
        return ok(f"Label Studio reaches the ML backend {one.url}")
    if one.state == "DI":
        mend = f"Start it: ls-retrieval serve --workspace {seen.workspace.root}. It listens where its --host says."
        return fail(f"Label Studio does not reach the ML backend {one.url} within a second", mend)
    said = str(one.error_message or "")
    if "401" in said:
        mend = "Set BASIC_AUTH_USER and BASIC_AUTH_PASS as they are where it runs, and run init --backend URL again."
        return fail(f"the ML backend {one.url} does not take the login that Label Studio sends", mend)
    return fail(f"the ML backend {one.url} answers Label Studio with an error: {said[:300]}", "Its log says more.")


def _from_here(seen: Seen, one: "MlBackend") -> Iterator[Finding]:
    """Health and setup as Label Studio asks for them, timed."""
    import httpx

    user, password = secrets.find("BASIC_AUTH_USER"), secrets.find("BASIC_AUTH_PASS")
    login = (user, password) if user and password else None
    body = {"project": f"{seen.project.id}.0", "schema": projects.config(seen.project, seen.workspace.rules)}
    with httpx.Client(base_url=one.url, auth=login, timeout=_PATIENCE, trust_env=False) as client:
        try:
            yield _timed("health", client.build_request("GET", "health"), client)
            yield _timed("setup", client.build_request("POST", "setup", json=body), client)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = f"the ML backend {one.url} does not answer here: {error or type(error).__name__}"
            if one.state == "CO":
                yield warn(what, "Where that address is of Label Studio's own network, all is well.")
            else:
                yield fail(what, f"Start it: ls-retrieval serve --workspace {seen.workspace.root}")


def _timed(name: str, request: "httpx.Request", client: "httpx.Client") -> Finding:
    begun = time.monotonic()
    answer = client.send(request)
    seconds, limit = time.monotonic() - begun, LIMITS[name]
    if answer.status_code == 401:
        mend = "Set BASIC_AUTH_USER and BASIC_AUTH_PASS here as they are where it runs."
        return warn(f"/{name} asks for another login than the environment gives", mend)
    if not answer.is_success:
        return fail(f"/{name} answers {answer.status_code}", "See the backend's log; is this address the ML backend's?")
    what = f"/{name} answers in {seconds:.2f} s, Label Studio waits {limit:.0f} s"
    if seconds >= limit:
        return fail(what, _SLOW)
    if seconds >= limit / 2:
        return warn(what, _SLOW)
    return ok(what)
