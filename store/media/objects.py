"""Media in the buckets of S3, Google Cloud Storage and Azure."""

from typing import TYPE_CHECKING

from label_configs.errors import Mendable, Unreadable
from store import places
from store.buckets import Patience, brief, open_bucket
from store.media.base import Current, Fetched, Stamp, Unreachable, checked, gather
from store.settings import Media as MediaSettings

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore


class Objects:
    """A client of buckets. Endpoints and credentials: from the environment, as each cloud names them."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._patience = Patience(settings.connect_timeout, settings.total_timeout, settings.tries)
        self._buckets: dict[str, ObjectStore] = {}

    def get(self, uri: str, stamp: Stamp) -> Fetched:
        """Fetch an object. Raises Current where it is still what `stamp` stands for; Unreadable, Unreachable."""
        from obstore import exceptions

        place, name = places.check(uri, self._settings.allow), places.named(uri)
        try:
            return self._get(places.root(place), "/".join(place.path), name, stamp)
        except exceptions.NotModifiedError as error:
            raise Current from error
        except FileNotFoundError as error:
            raise Unreadable(f"There is no {name}.", mend="Put it there, or correct the URI.") from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            mend = "Check the credentials in the environment, and what they may read."
            raise Unreadable(f"{name} is refused: {brief(error)}", mend=mend) from error
        except (exceptions.BaseError, OSError, ValueError) as error:
            raise Unreachable(f"{name} does not arrive: {brief(error)}", mend="Try again later.") from error

    def _get(self, root: str, key: str, name: str, stamp: Stamp) -> Fetched:
        known: GetOptions = {"if_none_match": stamp.etag} if stamp.etag else {}
        found = self._bucket(root).get(key, options=known)
        checked(name, found.meta["size"], self._settings.max_bytes)
        content = gather(name, (bytes(chunk) for chunk in found.stream()), self._settings.max_bytes)
        return Fetched(content, Stamp(found.meta["e_tag"] or ""))

    def _bucket(self, root: str) -> "ObjectStore":
        """The bucket, opened once."""
        if root not in self._buckets:
            try:
                self._buckets[root] = open_bucket(root, patience=self._patience)
            except Mendable as error:
                mend = "Check the credentials and addresses in the environment."
                raise Unreadable(error.what, mend=mend) from error
        return self._buckets[root]
