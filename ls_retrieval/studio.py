"""Start and stop a real Label Studio on this machine, for the demo and for the tests.

It is reachable on loopback only, sends nothing out, and keeps all it knows in one folder: database, uploads,
`label-studio.log`, and the secrets `password` and `token` (mode 600); other accounts under `accounts/NAME/`.
"""

import os
import re
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from label_configs.errors import Mendable
from ls_retrieval import ports
from ls_retrieval.ports import LOOPBACK

ADMIN = "admin@demo.invalid"
START_LIMIT = 300.0  # seconds; a first start migrates an empty database, about a minute
STOP_LIMIT = 10.0  # seconds between asking and forcing
REQUEST_LIMIT = 30.0  # seconds

# What Label Studio 1.23 refuses to call (`validate_ip` in its core/utils/io.py), except 127.0.0.0/8.
REFUSED_NETWORKS = (
    "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.0.2.0/24,"
    "192.88.99.0/24,192.168.0.0/16,198.18.0.0/15,198.51.100.0/24,203.0.113.0/24,224.0.0.0/4,233.252.0.0/24,"
    "240.0.0.0/4,255.255.255.255/32,::/128,::1/128,::ffff:0:0/96,::ffff:0:0:0/96,64:ff9b::/96,64:ff9b:1::/48,"
    "100::/64,2001::/32,2001:20::/28,2001:db8::/32,2002::/16,fc00::/7,fe80::/10,ff00::/8"
)


@dataclass(frozen=True)
class Account:
    """A user of Label Studio; token is a personal access token, which the SDK takes as `api_key`."""

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class Studio:
    """A running Label Studio: where it is reached, where its data lie, its administrator and process."""

    url: str
    folder: Path
    admin: Account
    pid: int

    def annotator(self, name: str) -> Account:
        """A real user, signed up through the invite link at the first call; later calls return the same.

        name: a-z, 0-9, "-" and "_"; it becomes NAME@simulated.invalid and a folder's name.
        """
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", name):
            raise Mendable(f"{name!r} cannot be an annotator's name.", mend='Use a-z, 0-9, "-" and "_".')
        home = self.folder / "accounts" / name
        return _account(self.url, home, f"{name}@simulated.invalid", invited_by=self.admin)


@contextmanager
def running_studio(
    folder: Path,
    *,
    program: Path,
    port: int = 0,
    document_root: Path | None = None,
    status: Callable[[str], None] = lambda message: None,
) -> Iterator[Studio]:
    """Label Studio, started on `folder` and stopped at exit, however the body ends.

    program: the `label-studio` command. port: 0 takes a free one. document_root: the folder whose files
    `/data/local-files/` may serve. status: is told now and then how the start goes.
    Raises Mendable when the program is missing, the port is taken, or Label Studio does not come up.
    """
    if not program.is_file():
        raise Mendable(f"Label Studio is not installed at {program}.", mend="Run `make install`.")
    port = ports.free(port, "Label Studio")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    url, log = f"http://{LOOPBACK}:{port}", folder / "label-studio.log"
    environment = _environment(folder.resolve(), _kept_password(folder), document_root)
    with _ending_signals_as_exit():
        process = _launch(program, port, environment, log)
        try:
            _wait_until_up(process, url, log, status)
            admin = _account(url, folder, ADMIN)
            status(f"Label Studio is up at {url}")
            yield Studio(url, folder, admin, process.pid)
        finally:
            _stop(process)


def _environment(folder: Path, password: str, document_root: Path | None) -> dict[str, str]:
    """The whole environment of the process.

    Built from nothing: Label Studio reads plain names such as HOST, PORT or DEBUG as settings, and has no
    business with other secrets or proxies. The password travels here, as any user can list the arguments.
    Of the private networks it may call 127.0.0.0/8 (an ML backend and its webhook, by that address).
    """
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    settings = {
        "BASE_DATA_DIR": str(folder),
        "USERNAME": ADMIN,
        "PASSWORD": password,
        "ALLOWED_HOSTS": f"{LOOPBACK},localhost",
        "DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "USER_ADDITIONAL_BANNED_SUBNETS": REFUSED_NETWORKS,
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    if document_root is not None:
        settings["LOCAL_FILES_SERVING_ENABLED"] = "true"
        settings["LOCAL_FILES_DOCUMENT_ROOT"] = str(document_root.resolve())
    own = {"XDG_CONFIG_HOME": str(folder / "config"), "PYTHONUNBUFFERED": "1"}
    return inherited | own | {f"LABEL_STUDIO_{name}": value for name, value in settings.items()}


def _launch(program: Path, port: int, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """The started process, at the head of a process group of its own; its files are for its user only."""
    arguments = ["start", "--no-browser", "--internal-host", LOOPBACK, "--port", str(port)]
    with open(log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        return subprocess.Popen(
            [str(program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path, status: Callable[[str], None]) -> None:
    begun = told = time.monotonic()
    status("Label Studio is starting; the first start takes about a minute")
    while True:
        up, said = _answers(url), log.read_text(errors="replace")
        waited = time.monotonic() - begun
        # With its port taken it moves to the next: then whoever answers here is another program.
        if process.poll() is not None or "is in use" in said or waited > START_LIMIT:
            raise Mendable(
                f"Label Studio did not come up at {url} ({waited:.0f} s).",
                problems=said.splitlines()[-8:],
                mend=f"Read {log}; `make install` renews a damaged installation.",
            )
        if up:
            return
        if waited - (told - begun) >= 5:
            told = begun + waited
            status(f"Label Studio is starting: {waited:.0f} s")
        time.sleep(0.5)


def _answers(url: str) -> bool:
    with suppress(requests.RequestException), _Visitor(url) as visitor:
        return bool(visitor.call("GET", "/health").ok)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process group: ask, and after STOP_LIMIT seconds force."""
    try:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(STOP_LIMIT)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _ending_signals_as_exit() -> Iterator[None]:
    """Let SIGTERM and a closed terminal unwind the stack as Ctrl+C does (in the main thread only)."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    ours = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is signal.SIG_DFL]
    ours = ours if threading.current_thread() is threading.main_thread() else []
    for one in ours:
        signal.signal(one, leave)
    try:
        yield
    finally:
        for one in ours:
            signal.signal(one, signal.SIG_DFL)


class _Visitor(requests.Session):
    """A session with Label Studio like a browser's: cookies, csrf header, no proxy, redirects shown."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.trust_env = url, False

    def call(self, method: str, path: str, **content: Any) -> requests.Response:
        self.headers["X-CSRFToken"] = self.cookies.get("csrftoken") or ""
        return self.request(method, self.url + path, timeout=REQUEST_LIMIT, allow_redirects=False, **content)

    def api(self, method: str, path: str, **content: Any) -> Any:
        """The JSON of an answer; the error of a refused call names the path, never what was sent."""
        answer = self.call(method, path, **content)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def submit(self, page: str, form: dict[str, str]) -> bool:
        """Open a page and send its form; accepted, it redirects and leaves this session logged in."""
        self.call("GET", page)  # sets the csrf cookie
        return self.call("POST", page, data=form).is_redirect

    def accepts(self, token: str) -> bool:
        """Whether a personal access token is valid; if so, this session speaks for its owner from now on."""
        answer = self.call("POST", "/api/token/refresh/", json={"refresh": token})
        if answer.ok:
            self.headers["Authorization"] = f"Bearer {answer.json()['access']}"
        return bool(answer.ok)


def _account(url: str, home: Path, email: str, invited_by: Account | None = None) -> Account:
    """The account whose secrets lie in `home`: signed up if invited and unknown, its token renewed if stale.

    The password is kept before it is used, so that a run that was cut off can be taken up again.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    password, kept = _kept_password(home), home / "token"
    with _Visitor(url) as visitor:
        if kept.exists() and visitor.accepts(token := kept.read_text()):
            return Account(email, password, token)
        form = {"email": email, "password": password}
        entered = visitor.submit("/user/login/", form)
        if not entered and not (invited_by and _sign_up(visitor, form, invited_by)):
            raise Mendable(
                f"Label Studio knows {email} with another password than the one in {home / 'password'}.",
                mend="Put the right password there, or begin with an empty data folder.",
            )
        token = _new_token(visitor)
    _keep_secret(kept, token)
    return Account(email, password, token)


def _sign_up(visitor: _Visitor, form: dict[str, str], host: Account) -> bool:
    """Sign up through the invite link, and renew it: its token is in the address, and so in the log."""
    with _Visitor(visitor.url) as hosting:
        hosting.accepts(host.token)
        try:
            return visitor.submit(hosting.api("GET", "/api/invite")["invite_url"], form)
        finally:
            hosting.api("POST", "/api/invite/reset-token")


def _new_token(visitor: _Visitor) -> str:
    """A new personal access token. A user has one, shown once: an earlier one is revoked."""
    for old in visitor.api("GET", "/api/token/"):
        visitor.api("POST", "/api/token/blacklist/", json={"refresh": old["token"]})
    return str(visitor.api("POST", "/api/token/")["token"])


def _kept_password(home: Path) -> str:
    path = home / "password"
    if not path.exists():
        _keep_secret(path, secrets.token_urlsafe(24))
    return path.read_text()


def _keep_secret(path: Path, text: str) -> None:
    """Write a file whole or not at all, that nobody else can read, not even while it is being made."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".secret-") as folder:
        handle = os.open(draft := Path(folder, path.name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        draft.replace(path)
