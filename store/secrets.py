"""Secrets: from the environment variable X, or from the file that X_FILE names, which only its owner may read."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from label_configs.errors import Mendable


def find(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The secret of that name, or None where neither X nor X_FILE is set."""
    if environ.get(name):
        return environ[name]
    return read_private(Path(environ[f"{name}_FILE"])) if environ.get(f"{name}_FILE") else None


def need(name: str, purpose: str, environ: Mapping[str, str] = os.environ) -> str:
    """The secret of that name; Mendable says how to give it."""
    value = find(name, environ)
    if value is None:
        raise Mendable(
            f"{name} is not set.",
            why=purpose,
            mend=f"export {name}=…, or {name}_FILE=PATH of a file with mode 600 that holds it.",
        )
    return value


def read_private(path: Path) -> str:
    """Content of a file that nobody but its owner can read. Raises Mendable where that is not so, or it is empty."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise Mendable(
            f"The secret file {path} cannot be read: {error.strerror}.",
            mend="Write the secret there, readable for you alone, or name another file.",
        ) from error
    if mode & 0o077:
        raise Mendable(f"The secret file {path} can be read by others (mode {mode:o}).", mend=f"chmod 600 {path}")
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Mendable(f"The secret file {path} cannot be read as text.") from None
    if not secret:
        raise Mendable(f"The secret file {path} is empty.", mend="Write the secret into it.")
    return secret
