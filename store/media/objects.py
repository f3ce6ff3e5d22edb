"""Media in the buckets of S3, Google Cloud Storage and Azure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from label_configs.errors import Mendable, Unreadable
from store import places
from store.buckets import Patience, brief, open_bucket
from store.media.base import Arriving, Current, Fetched, Stamp, Unreachable, checked, gather
from store.settings import Media as MediaSettings

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore

_PART = 16_000_000
"""Bytes of an archive that are fetched at a time, within the limits that one medium has."""


class Objects:
    """A client of buckets. Endpoints and credentials: from the environment, as each cloud names them."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._patience = Patience(settings.connect_timeout, settings.total_timeout, settings.tries)
        self._buckets: dict[str, ObjectStore] = {}

    def get(self, uri: str, stamp: Stamp) -> Fetched:
        """Fetch an object. Raises Current where it is still what `stamp` stands for; Unreadable, Unreachable."""
        name, limit = places.named(uri), self._settings.max_bytes
        with _explained(name):
            bucket, key = self._place(uri)
            found = bucket.get(key, options=_unless(stamp))
            checked(name, found.meta["size"], limit)
            content = gather(name, (bytes(chunk) for chunk in found.stream()), limit)
            return Fetched(content, Stamp(found.meta["e_tag"] or ""))

    def archive(self, uri: str, stamp: Stamp) -> Arriving:
        """Fetch an object part by part, all of one version. Raises as `get` does, the pieces too."""
        name = places.named(uri)
        with _explained(name):
            bucket, key = self._place(uri)
            first = bucket.get(key, options={**_unless(stamp), "range": (0, _PART)})
            size, etag = first.meta["size"], first.meta["e_tag"] or ""
            checked(name, size, self._settings.cache_bytes, "cache_bytes")
            begun = bytes(first.bytes())

        def pieces() -> Iterator[bytes]:
            yield begun
            same: GetOptions = {"if_match": etag} if etag else {}
            for start in range(len(begun), size, _PART):
                with _explained(name):
                    part = bucket.get(key, options={**same, "range": (start, min(start + _PART, size))})
                    content = bytes(part.bytes())
                yield content

        return Arriving(pieces(), Stamp(etag))

    def _place(self, uri: str) -> "tuple[ObjectStore, str]":
        """The bucket, opened once, and the key."""
        place = places.check(uri, self._settings.allow)
        root = places.root(place)
        if root not in self._buckets:
            try:
                self._buckets[root] = open_bucket(root, patience=self._patience)
            except Mendable as error:
                mend = "Check the credentials and addresses in the environment."
                raise Unreadable(error.what, mend=mend) from error
        return self._buckets[root], "/".join(place.path)


def _unless(stamp: Stamp) -> "GetOptions":
    return {"if_none_match": stamp.etag} if stamp.etag else {}


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn obstore's errors into Current, Unreadable and Unreachable."""
    from obstore import exceptions

    try:
        yield
    except exceptions.NotModifiedError as error:
        raise Current from error
    except FileNotFoundError as error:
        raise Unreadable(f"There is no {name}.", mend="Put it there, or correct the URI.") from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        mend = "Check the credentials in the environment, and what they may read."
        raise Unreadable(f"{name} is refused: {brief(error)}", mend=mend) from error
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise Unreachable(f"{name} does not arrive: {brief(error)}", mend="Try again later.") from error
