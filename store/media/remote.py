"""Media that lie elsewhere: each kind by its own client, through one cache."""

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from label_configs.errors import Unreadable
from store import places, tars
from store.media import local
from store.media.base import Fetched, Stamp
from store.media.cache import Cache
from store.places import Place
from store.settings import Media as MediaSettings

if TYPE_CHECKING:
    from store.media.label_studio import LabelStudio
    from store.media.objects import Objects
    from store.media.web import Web


def archived(uri: str) -> tuple[str, str] | None:
    """The archive in a bucket and its member that `s3://bucket/0001.tar#0007.jpg` names; None for other URIs."""
    archive, name = tars.split(uri)
    return (archive, name) if name and uri.partition("://")[0].lower() in places.BUCKETS else None


class Remote:
    """Clients are made when the first URI of their kind is read. root: the workspace."""

    def __init__(self, root: Path, settings: MediaSettings) -> None:
        self._settings = settings
        self._cache = Cache(root / "media" / "cache", settings.fresh_for, settings.cache_bytes)
        self._documents = root / settings.document_root

    def read(self, uri: str) -> bytes:
        """The medium under a URI. Raises Unreadable; for a place that `allow` does not cover, copy or not."""
        on_disk = self._document(uri)
        if on_disk is not None:
            return on_disk
        if found := archived(uri):
            return self._member(*found)
        if not places.is_label_studio(uri):
            self._check(uri)
        return self._cache.get(uri, places.named(uri), self._settings.max_bytes, partial(self._fetch, uri))

    def _member(self, archive: str, name: str) -> bytes:
        """A member of an archive in a bucket, of which a copy is kept whole."""
        self._check(archive)
        path = self._cache.archive(archive, lambda stamp: self._objects.archive(archive, stamp))
        called = places.named(archive)
        return local.member(path, tars.find(path, name, called), f"{called}#{name}", self._settings.max_bytes)

    def copies(self, uri: str) -> list[Path]:
        """What the cache keeps of it."""
        return self._cache.files(uri)

    def _document(self, uri: str) -> bytes | None:
        """One of Label Studio's local files, where they lie on this machine."""
        if not uri.startswith("/data/local-files/"):
            return None
        asked = parse_qs(urlsplit(uri).query).get("d", [""])[0]
        try:
            local.inside(self._documents, asked)
        except Unreadable:
            return None
        return local.read(self._documents, asked, self._settings.max_bytes)

    def _fetch(self, uri: str, stamp: Stamp) -> Fetched:
        if places.is_label_studio(uri):
            return self._label_studio.get(uri, stamp)
        if uri.partition("://")[0].lower() in places.BUCKETS:
            return self._objects.get(uri, stamp)
        from store.media.web import Asked

        return self._web.get(Asked(uri, self._check, stamp))

    def _check(self, uri: str) -> Place:
        return places.check(uri, self._settings.allow)

    @cached_property
    def _label_studio(self) -> "LabelStudio":
        from store.media.label_studio import LabelStudio

        return LabelStudio(self._settings)

    @cached_property
    def _objects(self) -> "Objects":
        from store.media.objects import Objects

        return Objects(self._settings)

    @cached_property
    def _web(self) -> "Web":
        from store.media.web import Web

        return Web(self._settings)
