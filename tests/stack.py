"""docker-compose.yml without an engine: as Docker Compose itself reads it, and its services as plain processes."""

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from postgres import Postgres, package

from ls_retrieval import ports

REPOSITORY = Path(__file__).resolve().parent.parent
DOCKER_COMPOSE = package("compose") / "docker-compose"
"""Docker Compose's own binary: the package's console script ends with 0 whatever it says."""
ADDRESSES = {"database": "127.0.0.1", "label-studio": "127.0.0.1", "backend": "127.30.90.10"}
INSIDE = {"database": 5432, "label-studio": 8080, "backend": 9090}
"""The ports that the services listen on in their containers."""
LASTING = (*ADDRESSES, "sync")
ENTRYPOINTS: dict[str, list[str]] = {"database": []}
"""Of images that are not this project's and keep their own."""
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
        self._stack, self._up = ExitStack(), set[str]()
        self._postgres = Postgres(self._stack)
        self._programs = {"label-studio": label_studio.parent, "database": self._postgres.programs}
        self._here = self._places(bucket)

    def _places(self, bucket: str) -> dict[str, str]:
        """What a container knows by a name or a path, and where that is here."""
        for name in ("home", "label-studio"):
            (self.folder / name).mkdir()
        here = {
            "/run/secrets": str(self.folder / "secrets"),
            "/workspace": str(self.folder / "workspace" / "team"),
            "/label-studio/data": str(self.folder / "label-studio"),
            "/tmp": str(self.folder / "home"),  # noqa: S108
            "http://bucket:8333/status": f"{bucket}/",  # this server has no such page
            "http://bucket:8333": bucket,
        }
        for name, inside in INSIDE.items():
            here |= dict.fromkeys((f"{name}:{inside}", f"127.0.0.1:{inside}"), ":".join(map(str, self.at[name])))
        return here

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def secret(self, name: str) -> str:
        """One of the secrets that the page makes."""
        return (self.folder / "secrets" / name).read_text().strip()

    def do(self, line: str) -> str:
        """One line of the documentation."""
        up, run = "docker compose up --detach --wait", "docker compose run --rm tool "
        if line.startswith(up):
            self.up(*line.removeprefix(up).split())
            return ""
        assert line.startswith(run), line
        return self.run(*line.removeprefix(run).split())

    def up(self, *names: str) -> None:
        """Start services and what they wait for, without names all that last."""
        for name in names or LASTING:
            if name in LASTING and name not in self._up:
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
            given |= {"POSTGRE_HOST": address, "POSTGRE_PORT": str(port), BANNED: _holed(given[BANNED])}
        path = f"{self._programs.get(name, Path(sys.executable).parent)}:{os.environ['PATH']}"
        inherited = {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}
        return {"HOME": str(self.folder / "home"), "PATH": path, **inherited, **given}

    def _start(self, name: str) -> None:
        given, database = self.services[name]["environment"], name == "database"
        if database:
            self._postgres.make(given, self.secret("database_password"))
        log = self._stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            self._command(name, self.services[name]["command"]),
            env=self.environment(name),
            cwd=self._postgres.folder,
            stdout=log,
            stderr=log,
            user=self._postgres.user if database else None,
        )
        self._stack.callback(_stop, process)
        self._await(name, process)
        if database:
            self._postgres.make_database(given, self.secret("database_password"), self.at[name])

    def _command(self, name: str, command: Sequence[str]) -> list[str]:
        entrypoint = self.services[name].get("entrypoint") or ENTRYPOINTS.get(name, ["ls-retrieval"])
        words = [self._translated(word.replace("$$", "$")) for word in [*entrypoint, *command]]
        address, port = self.at.get(name, ("", 0))
        inside = str(INSIDE.get(name))
        words = [re.sub(rf"\b{inside}\b", str(port), word).replace("0.0.0.0", address) for word in words]  # noqa: S104
        return words + self._postgres.options(address) if name == "database" else words

    def _await(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the service's own health check is content."""
        check = [self._translated(word) for word in self.services[name]["healthcheck"]["test"][1:]]
        given = {**self.environment(name), "PGPORT": str(self.at["database"][1])}
        deadline = time.monotonic() + 300
        while subprocess.run(check, env=given, capture_output=True, check=False).returncode:
            said = (self.folder / f"{name}.log").read_text(errors="replace")
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.3)

    def _translated(self, text: str) -> str:
        return re.sub("|".join(map(re.escape, self._here)), lambda found: self._here[found[0]], text)


def _holed(listed: str) -> str:
    """Label Studio's list of what it may not call, with the hole where the backend is here."""
    loopback, backend = ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv4Network(ADDRESSES["backend"])
    assert str(loopback) in listed.split(",")
    return listed.replace(str(loopback), ",".join(map(str, loopback.address_exclude(backend))))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
