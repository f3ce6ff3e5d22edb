"""The connection to Label Studio, its errors as sentences that say how to mend them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from label_configs.errors import Mendable
from sync import tokens

if TYPE_CHECKING:
    import ssl

    from label_studio_sdk import LabelStudio

OLDEST = (1, 20)
TESTED = "1.23.2"
ONCE: Any = {"max_retries": 0, "timeout_in_seconds": 300}
"""For requests that must not be repeated: the SDK repeats a POST that timed out, and doubles what it makes."""


@contextmanager
def connected(url: str, api_key: str) -> Iterator["LabelStudio"]:
    """A client of a Label Studio that answers, knows the key, and is not too old; else Mendable."""
    import httpx
    from label_studio_sdk import LabelStudio

    tokens.check(api_key)
    with httpx.Client(timeout=60, follow_redirects=True, verify=_trusted()) as connections:
        with explained(f"connecting to Label Studio at {url}"):
            client = LabelStudio(base_url=url, api_key=api_key, httpx_client=connections)
        _check(client, url)
        yield client


@cache
def _trusted() -> "ssl.SSLContext":
    """The certificates that are trusted, read once: anew for each connection they would scatter the memory of a process
    that connects every few seconds.
    """
    import httpx

    return httpx.create_ssl_context()


def release(url: str) -> str:
    """The version of the Label Studio at an address, which it tells without a token."""
    import httpx

    doing = f"asking {url} for its version"
    with explained(doing):
        answer = httpx.get(f"{url.rstrip('/')}/api/version", timeout=10, follow_redirects=True)
        found = answer.json()
    if not answer.is_success or not isinstance(found, dict) or "release" not in found:
        raise _page(doing)
    return str(found["release"])


def authorization(client: "LabelStudio") -> dict[str, str]:
    """The header by which a plain request speaks for the same account; good for some minutes."""
    return {"Authorization": client._client_wrapper.get_headers()["Authorization"]}


def post(client: "LabelStudio", path: str, content: Any) -> dict[str, Any]:
    """Send JSON, once, and give the answer. The SDK would take every value of it in hand first, which takes longer than
    all else that a push does on this side. Raises what the SDK raises.
    """
    import msgspec
    from label_studio_sdk.core.api_error import ApiError

    wrapper = client._client_wrapper
    answer = wrapper.httpx_client.httpx_client.post(
        f"{wrapper.get_base_url().rstrip('/')}/{path}",
        content=msgspec.json.encode(content),
        headers={**authorization(client), "Content-Type": "application/json"},
        timeout=ONCE["timeout_in_seconds"],
    )
    if not answer.is_success:
        raise ApiError(status_code=answer.status_code, headers=dict(answer.headers), body=answer.text)
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ApiError(status_code=answer.status_code, headers=dict(answer.headers), body=answer.text) from error


def _check(client: "LabelStudio", url: str) -> None:
    with explained(f"connecting to Label Studio at {url}"):
        version = str(client.versions.get().release)
        client.users.whoami()
    if _numbers(version) < OLDEST:
        raise Mendable(
            f"The Label Studio at {url} is version {version}.",
            why=f"The tool is tested with {TESTED} and needs {'.'.join(map(str, OLDEST))} or newer.",
            mend="Upgrade it: pip install --upgrade label-studio.",
        )


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn errors of the SDK and of the network into Mendable."""
    import httpx
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except ApiError as error:
        raise _explain(doing, error.status_code or 0, str(error.body)) from error
    except json.JSONDecodeError as error:
        raise _page(doing) from error
    except httpx.TimeoutException as error:
        raise Mendable(f"Label Studio did not answer in time while {doing}.", mend="Run the command again.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Mendable(
            f"Label Studio cannot be reached: {error} while {doing}.",
            mend="Start it, and check LABEL_STUDIO_URL (with http:// and the port).",
        ) from error


def _explain(doing: str, status: int, body: str) -> Mendable:
    if status == 401:
        return tokens.refused(doing, body)
    if status == 403 and "reserved network" in body:
        return Mendable(
            f"Label Studio refuses a private address while {doing}.",
            why="Its protection against requests to internal addresses covers the backend's.",
            mend="Start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false; or, to keep the "
            "protection for all other addresses, with USE_DEFAULT_BANNED_SUBNETS=false and "
            "USER_ADDITIONAL_BANNED_SUBNETS listing every default subnet but the backend's.",
        )
    if "Can't resolve hostname" in body:
        return Mendable(
            f"Label Studio does not know the host while {doing}.", mend="Give the address as Label Studio reaches it."
        )
    if status == 403:
        return Mendable(
            f"Label Studio does not allow this account what is asked for while {doing}.",
            mend="Use the token of an administrator, or of a member of the project's organization.",
        )
    if status == 404:
        return Mendable(f"Label Studio does not find what is asked for while {doing}.", mend="Check the project's id.")
    if "<html" in body[:500].lower():
        return _page(doing)
    return Mendable(f"Label Studio answered {status} while {doing}: {body[:500]}")


def _page(doing: str) -> Mendable:
    return Mendable(
        f"Label Studio answers with a page instead of data while {doing}.",
        why="LABEL_STUDIO_URL leads to something else; or the account that the token belongs to was removed from its "
        "organization, where Label Studio fails.",
        mend="Check LABEL_STUDIO_URL, and use the token of a member. Label Studio's own log says more.",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
