"""Where annotators' browsers find what is made for them: thumbnails, and media that no browser could reach."""

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from label_configs.errors import Mendable
from store import files
from store.buckets import Patience, brief, open_bucket
from store.settings import Media as MediaSettings

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class Shelf:
    """The folder or bucket that `[media] to` names. Names are made of content: what is there is not put again."""

    def __init__(self, root: Path, settings: MediaSettings) -> None:
        self._root, self._settings = root, settings

    def put(self, name: str, content: bytes) -> str:
        """Put a file there, and give the URI under which a browser gets it."""
        if "://" in self._settings.to:
            self._upload(name, content)
        elif not (path := self._root / self._settings.to / name).exists():
            files.write(path, content)
        return self._uri(name)

    def served(self, path: Path) -> str:
        """The URI of a file that Label Studio serves where it lies. Raises Mendable outside of document_root."""
        served = (self._root / self._settings.document_root).resolve()
        if not path.resolve().is_relative_to(served):
            raise Mendable(
                f"Label Studio cannot serve {path}: it lies outside {served}.",
                mend="Correct document_root under [media].",
            )
        return f"/data/local-files/?d={quote(str(path.resolve().relative_to(served)))}"

    def _uri(self, name: str) -> str:
        settings = self._settings
        if settings.serve == "local-files":
            return self.served(self._root / settings.to / name)
        base = settings.base if settings.serve == "http" else settings.to.replace("az://", "azure-blob://", 1)
        return f"{base.rstrip('/')}/{name}"

    def check(self) -> None:
        """Raise Mendable where `to` is a bucket that does not answer."""
        if "://" in self._settings.to:
            with self._explained():
                self._holds("any")

    def _upload(self, name: str, content: bytes) -> None:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        with self._explained():
            if not self._holds(name):
                self._bucket.put(name, content, attributes={"Content-Type": kind})

    def _holds(self, name: str) -> bool:
        try:
            self._bucket.head(name)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            raise Mendable(
                f"{self._settings.to} cannot be used for thumbnails: {brief(error)}",
                mend="Check `to` under [media], and that the credentials in the environment may read and write there.",
            ) from error

    @cached_property
    def _bucket(self) -> "ObjectStore":
        patience = Patience(self._settings.connect_timeout, self._settings.total_timeout, self._settings.tries)
        return open_bucket(self._settings.to, patience=patience)
