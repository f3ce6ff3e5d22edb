"""docker-compose.yml as Docker Compose itself reads it, without an engine."""

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent


def program() -> Path:
    """Docker Compose's own binary: the package's console script ends with 0 whatever it says."""
    found = importlib.util.find_spec("compose")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("docker-compose")


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
    command = [str(program()), "--project-directory", str(folder), "--profile", "*", "config", *arguments]
    return subprocess.run(command, cwd=folder, env=dict(environment or {}), text=True, capture_output=True, check=False)


def services(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The services with every variable and anchor resolved."""
    done = config(folder, "--format", "json", environment=environment)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return dict(read["services"])
