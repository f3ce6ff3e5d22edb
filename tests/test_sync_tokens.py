"""Tokens that Label Studio refuses, each with its own sentence and mend; all but the dates on a real one."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import shop

from label_configs.errors import Mendable
from ls_retrieval.studio import Account, Studio
from sync import tokens
from sync.label_studio import connected, release


def jwt(parts: int = 3, **claims: object) -> str:
    """A token as Label Studio makes them, signed by nobody."""
    said = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "x"}, claims)]
    return ".".join([*said, "signature"][:parts])


@contextmanager
def session(studio: Studio, account: Account) -> Iterator[requests.Session]:
    """Logged in by password, as in a browser."""
    with requests.Session() as visitor:
        visitor.get(f"{studio.url}/user/login/", timeout=30)
        form = {"email": account.email, "password": account.password}
        form["csrfmiddlewaretoken"] = visitor.cookies["csrftoken"]
        visitor.post(f"{studio.url}/user/login/", data=form, timeout=30).raise_for_status()
        visitor.headers["X-CSRFToken"] = visitor.cookies["csrftoken"]
        yield visitor


def allow(studio: Studio, *, legacy: bool = False, personal: bool = True) -> None:
    kinds = {"legacy_api_tokens_enabled": legacy, "api_tokens_enabled": personal}
    with session(studio, studio.admin) as visitor:
        visitor.post(f"{studio.url}/api/jwt/settings", json=kinds, timeout=30).raise_for_status()


def legacy(studio: Studio, account: Account) -> str:
    with session(studio, account) as visitor:
        return str(visitor.get(f"{studio.url}/api/current-user/token", timeout=30).json()["token"])


def refused(studio: Studio, token: str) -> Mendable:
    with pytest.raises(Mendable) as caught, connected(studio.url, token):
        pass
    assert token not in str(caught.value)
    assert caught.value.mend
    return caught.value


# what a token says of itself


@pytest.mark.parametrize("token", ["", "none", "0" * 40, "a.b.c", "a.W10.c", ".."])
def test_what_is_no_jwt_is_a_legacy_token_that_never_ends(token: str) -> None:
    assert tokens.kind(token) == "legacy token"
    assert tokens.expires(token) is None
    tokens.check(token)


def test_a_personal_access_token_tells_when_it_ends() -> None:
    token = jwt(token_type="refresh", exp=2_000_000_000)
    assert tokens.kind(token) == "personal access token"
    assert str(tokens.expires(token)) == "2033-05-18 03:33:20+00:00"
    tokens.check(token)


@pytest.mark.parametrize("exp", [None, "soon", 1e300, []])
def test_an_end_that_is_no_time_is_none(exp: object) -> None:
    assert tokens.expires(jwt(token_type="refresh", exp=exp)) is None


@pytest.mark.parametrize(
    ("token", "what"),
    [
        (jwt(2, token_type="refresh", exp=2e9), "is a part of a token"),
        (jwt(token_type="access", exp=2e9), "is an access token, which is good for five minutes"),
        (jwt(token_type="refresh", exp=time.time() - 1), "expired on 20"),
    ],
)
def test_what_speaks_against_itself_is_named_before_label_studio_is_asked(token: str, what: str) -> None:
    with pytest.raises(Mendable, match=what), connected("http://127.0.0.1:1", token):
        pass


# what Label Studio says of it


def test_the_version_is_told_without_a_token(studio: Studio) -> None:
    assert release(f"{studio.url}/") == "1.23.2"
    with shop.opened() as other:
        other.answers["/api/version"] = lambda handler: handler.send(body=b"<html>welcome</html>")
        with pytest.raises(Mendable, match="a page instead of data"):
            release(other.url)


def test_a_revoked_token_is_named_as_such(studio: Studio) -> None:
    account = studio.annotator("revoked")
    with session(studio, account) as visitor:
        visitor.post(
            f"{studio.url}/api/token/blacklist/", json={"refresh": account.token}, timeout=30
        ).raise_for_status()
    error = refused(studio, account.token)
    assert error.what.startswith("The token was revoked")
    assert "personal access token" in error.mend


def test_a_legacy_token_where_the_organization_allows_none_is_named_and_taken_where_it_does(studio: Studio) -> None:
    token = legacy(studio, studio.admin)
    error = refused(studio, token)
    assert error.what.startswith("The token is a legacy token, and the organization does not allow those")
    assert "API Tokens Settings" in error.mend
    allow(studio, legacy=True)
    try:
        with connected(studio.url, token) as client:
            assert client.users.whoami().email == studio.admin.email
    finally:
        allow(studio)


def test_a_personal_access_token_where_the_organization_allows_none_is_named(studio: Studio) -> None:
    allow(studio, personal=False)
    try:
        error = refused(studio, studio.admin.token)
    finally:
        allow(studio)
    assert error.what.startswith("The token is a personal access token, and the organization does not allow those")


@pytest.mark.parametrize("token", ["0123456789abcdef0123456789abcdef01234567", jwt(token_type="refresh", exp=4e9)])
def test_a_token_of_another_label_studio_is_unknown(studio: Studio, token: str) -> None:
    error = refused(studio, token)
    assert error.what.startswith("Label Studio refuses the token")
    assert "of another Label Studio" in error.why


def test_an_account_that_was_removed_from_its_organization_is_told_from_a_wrong_address(studio: Studio) -> None:
    account = studio.annotator("removed")
    with session(studio, studio.admin) as visitor:
        members: Any = visitor.get(f"{studio.url}/api/organizations/1/memberships?page_size=100", timeout=30).json()
        (user,) = [one["user"]["id"] for one in members["results"] if one["user"]["email"] == account.email]
        visitor.delete(f"{studio.url}/api/organizations/1/memberships/{user}/", timeout=30).raise_for_status()
    error = refused(studio, account.token)
    assert error.what.startswith("Label Studio answers with a page instead of data")
    assert "removed from its organization" in error.why
    with pytest.raises(Mendable, match="a page instead of data"), connected(f"{studio.url}/user/login/", account.token):
        pass
