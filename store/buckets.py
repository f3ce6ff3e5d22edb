"""Buckets of S3, Google Cloud Storage and Azure, and folders in their place."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from store import places, secrets

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_VARIABLES = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}
_SAID = re.compile(r"<(Code|Message)>([^<]*)<")
_KEYS = {"s3": "AWS_SECRET_ACCESS_KEY", "az": "AZURE_STORAGE_ACCOUNT_KEY"}


class Patience(NamedTuple):
    """How long a bucket is waited for: seconds to connect, seconds for all of one request, and how often."""

    connect: float
    total: float
    tries: int


UNHURRIED = Patience(connect=5.0, total=300.0, tries=11)
"""For data sets: twelve pieces of five megabytes go up at once, which takes a slow line minutes."""


def open_bucket(url: str, *, make: bool = False, patience: Patience = UNHURRIED) -> "ObjectStore":
    """A store for s3://, gs://, az:// or a folder. Credentials come from the environment, as each cloud names them.

    A secret key may be in the file that AWS_SECRET_ACCESS_KEY_FILE or AZURE_STORAGE_ACCOUNT_KEY_FILE names.
    S3 servers are given the SHA-256 of what they get, and refuse what was damaged on its way.
    make: make a folder that is missing; without it, a missing folder is an empty bucket.
    """
    from obstore.exceptions import BaseError
    from obstore.store import LocalStore, MemoryStore, from_url

    scheme, there, _ = url.partition("://")
    try:
        if there and scheme not in {*places.BUCKETS, "file"}:
            raise ValueError(f"it is none of {', '.join(places.BUCKETS)}.")
        if there and scheme != "file":
            key, client, retry = _key(url), _client(url, patience), _retry(patience)
            if url.startswith("s3://"):
                return from_url(url, config=key, checksum_algorithm="SHA256", client_options=client, retry_config=retry)
            return from_url(url, config=key, client_options=client, retry_config=retry)
        folder = Path(url.removeprefix("file://")).resolve()
        return LocalStore(folder, mkdir=True) if make or folder.exists() else MemoryStore()
    except (BaseError, OSError, ValueError) as error:
        raise Mendable(
            f"The bucket {places.named(url)} cannot be opened: {brief(error)}",
            mend="Give s3://, gs://, az:// or a folder.",
        ) from error


def brief(error: Exception) -> str:
    """The sentence of one of obstore's errors, without the tree that follows it.

    Of what an S3 server says the code and message alone: beside an expired token it writes the token itself.
    """
    sentence, xml, _ = str(error).partition("\n")[0].partition("<?xml")
    found = dict(_SAID.findall(str(error))) if xml or "<Error>" in sentence else {}
    said = ": ".join(found[name] for name in ("Code", "Message") if name in found)
    return f"{sentence.partition('<Error>')[0]}{said}"[:500]


def _key(url: str) -> Any:
    """The secret key where it is given, in the environment or a file: obstore itself reads no file."""
    name = _KEYS.get(url.partition("://")[0], "")
    found = secrets.find(name) if name else None
    return {name.lower(): found} if found else None


def _client(url: str, patience: Patience) -> "ClientConfig":
    """Limits of the client; with any given, obstore takes no more heed of AWS_ALLOW_HTTP and its like."""
    variable = f"{_VARIABLES.get(url.partition('://')[0], '')}_ALLOW_HTTP"
    return {
        "connect_timeout": timedelta(seconds=patience.connect),
        "timeout": timedelta(seconds=patience.total),
        "allow_http": os.environ.get(variable, "").lower() in {"1", "true"},
    }


def _retry(patience: Patience) -> "RetryConfig":
    return {"max_retries": patience.tries - 1, "retry_timeout": timedelta(seconds=patience.total)}
