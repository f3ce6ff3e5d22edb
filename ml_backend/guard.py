"""Who may ask the backend: whoever knows its credentials or, at its webhook, the secret."""

import hmac
import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized

if TYPE_CHECKING:
    from werkzeug.datastructures import Authorization
    from werkzeug.wrappers import Request

SECRET_HEADER = "X-LS-Retrieval-Secret"  # noqa: S105 - the name of a header
_TRIES = 20
_WINDOW = 60.0  # seconds


class Credentials(NamedTuple):
    """Basic authentication as Label Studio sends it, with everything but webhooks."""

    user: str
    password: str


@dataclass
class Guard:
    """What each request must know. Without credentials and secret everybody on this machine may ask, and nobody else.

    secret: what a webhook of Label Studio brings in SECRET_HEADER; the one that it makes by itself brings nothing, and
    is refused. Past 20 wrong logins a minute from one address no more of its logins are looked at.
    """

    credentials: Credentials | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.monotonic
    _failed: Counter[str] = field(default_factory=Counter, repr=False)
    _since: float = field(default=0.0, repr=False)

    def check(self, request: "Request", *, webhook: bool) -> None:
        """Raise an HTTPException where the request may not be answered."""
        if self.credentials is None and not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            raise Forbidden("Without credentials the backend answers to 127.0.0.1, ::1 and localhost alone.")
        if self.credentials is None and not (webhook and self.secret):
            return
        login, secret = request.authorization, request.headers.get(SECRET_HEADER) if webhook else None
        if login is None and secret is None:
            raise Unauthorized("Credentials are needed.")
        if self._tired(request.remote_addr):
            raise TooManyRequests("Too many wrong logins; wait a minute.")
        if not self._known(login, secret):
            self._failed[request.remote_addr or ""] += 1
            raise Unauthorized("These credentials are not known.")

    def _known(self, login: "Authorization | None", secret: str | None) -> bool:
        return self._is_login(login) or bool(self.secret and secret is not None and _same(secret, self.secret))

    def _is_login(self, given: "Authorization | None") -> bool:
        if self.credentials is None or given is None or given.type != "basic":
            return False
        user = _same(str(given.username), self.credentials.user)
        return user & _same(str(given.password), self.credentials.password)

    def _tired(self, address: str | None) -> bool:
        if self.clock() - self._since > _WINDOW:
            self._failed, self._since = Counter(), self.clock()
        return self._failed[address or ""] >= _TRIES


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _same(given: str, known: str) -> bool:
    """Compared in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), known.encode("utf-8", "surrogateescape"))
