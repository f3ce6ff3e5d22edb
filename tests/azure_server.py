"""A server that speaks Azure's blob protocol on loopback: Microsoft's Azurite, which npm installs."""

import base64
import hashlib
import hmac
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import requests

from ls_retrieval import ports

PACKAGE = "azurite@3.37.0"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What Azurite's documentation names: no secret."""
_VERSION = "2021-08-06"


@contextmanager
def running_azurite(folder: Path, npm: str) -> Iterator[Mapping[str, str]]:
    """Install and run it; gives the environment that leads to it."""
    subprocess.run([npm, "install", "--no-audit", "--no-fund", "--silent", PACKAGE], cwd=folder, check=True)
    port = ports.free(0, "Azurite")
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    options = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--skipApiVersionCheck"]
    with subprocess.Popen([program, *options, "--silent"]) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url)
            yield {
                "AZURE_STORAGE_USE_EMULATOR": "true",
                "AZURITE_BLOB_STORAGE_URL": url,
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": KEY,
                "AZURE_ALLOW_HTTP": "true",
            }
        finally:
            server.terminate()


def make_container(environment: Mapping[str, str], name: str) -> None:
    """Make a container, which is no business of the tool's."""
    date = formatdate(usegmt=True)
    headers = {"x-ms-date": date, "x-ms-version": _VERSION}
    told = "".join(f"{key}:{value}\n" for key, value in sorted(headers.items()))
    signed = "PUT" + "\n" * 12 + told + f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    sign = base64.b64encode(hmac.digest(base64.b64decode(KEY), signed.encode(), hashlib.sha256)).decode()
    url = f"{environment['AZURITE_BLOB_STORAGE_URL']}/{ACCOUNT}/{name}?restype=container"
    headers |= {"Authorization": f"SharedKey {ACCOUNT}:{sign}", "Content-Length": "0"}
    requests.put(url, headers=headers, timeout=10).raise_for_status()


def _wait(url: str) -> None:
    for _ in range(600):
        try:
            requests.get(url, timeout=1)
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("Azurite does not come up")
