"""Media that Label Studio holds: uploads and its local files, fetched with its token."""

import time

from label_configs.errors import Mendable, Unreadable
from store import places, secrets
from store.media.base import Fetched, Refused, Stamp, Unreachable
from store.media.web import Asked, Web
from store.places import Place
from store.settings import Media as MediaSettings

_KEY = "LABEL_STUDIO_API_KEY"
_ACCESS = 240.0
"""Seconds that an access token is used; Label Studio lets it live for 300."""


class LabelStudio:
    """A client of the Label Studio that the environment names. It may redirect to its media, and where `allow` says."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings, self._url, self._key = settings, _given("LABEL_STUDIO_URL").rstrip("/"), _given(_KEY)
        self._own = places.parse(f"{self._url}/data")
        self._web = Web(settings, frozenset({(self._own.host, self._own.port)}))
        self._access, self._until = "", 0.0

    def get(self, uri: str, stamp: Stamp) -> Fetched:
        """Fetch an upload or a local file. Raises Current where it is still what `stamp` stands for."""
        headers = {"Authorization": self._authorization()}
        try:
            return self._web.get(Asked(self._url + uri, self._check, stamp, headers))
        except Refused as error:
            raise _refused() from error
        except Unreachable as error:
            mend = "Try again later; Label Studio also answers 500 for an upload that it no longer has."
            raise Unreachable(error.what, mend=mend) from error

    def _check(self, uri: str) -> Place:
        place = places.parse(uri)
        if self._own.covers(place):
            return place
        if place[:3] == self._own[:3]:
            raise _refused()
        return places.check(uri, self._settings.allow)

    def _authorization(self) -> str:
        """A legacy token as it is. A personal access token (three parts, a JWT) is only good to be refreshed."""
        if self._key.count(".") != 2:
            return f"Token {self._key}"
        if time.monotonic() >= self._until:
            try:
                self._access = str(self._web.post(f"{self._url}/api/token/refresh/", {"refresh": self._key})["access"])
            except Unreachable:
                raise
            except (Unreadable, LookupError) as error:
                raise _refused() from error
            self._until = time.monotonic() + _ACCESS
        return f"Bearer {self._access}"


def _given(name: str) -> str:
    try:
        return secrets.need(name, "The corpus names media that Label Studio holds.")
    except Mendable as error:
        raise Unreadable(error.what, why=error.why, mend=error.mend) from error


def _refused() -> Unreadable:
    return Unreadable(
        "Label Studio does not give its media to this token.",
        why="It is wrong or revoked, a legacy token where those are switched off, or of somebody who may not see them.",
        mend="Make a personal access token under Account & Settings, and export LABEL_STUDIO_API_KEY=…",
    )
