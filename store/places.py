"""Where media may be fetched from: URIs taken apart, and held against `[media] allow`."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from label_configs.errors import Unreadable

WEB = {"http": 80, "https": 443}
BUCKETS = ("s3", "gs", "az", "azure-blob")


class Place(NamedTuple):
    """Where a URI leads, in one spelling: host or bucket in lower case, port (0 for buckets), the path's segments."""

    scheme: str
    host: str
    port: int
    path: tuple[str, ...]

    def covers(self, other: "Place") -> bool:
        """Whether the other place is this one or lies below it."""
        own = self.path[:-1] if self.path and not self.path[-1] else self.path
        return self[:3] == other[:3] and other.path[: len(own)] == own


def parse(uri: str) -> Place:
    """Take a URI apart. Raises Unreadable for other schemes, credentials, and paths that climb."""
    scheme = uri.partition("://")[0].lower()
    if scheme in BUCKETS:
        place = _bucket(scheme, uri)
    elif scheme in WEB:
        place = _web(scheme, uri)
    else:
        raise Unreadable(
            f"{named(uri)} cannot be read: its scheme is not one of {', '.join([*WEB, *BUCKETS])}.",
            mend="Copy the medium into the workspace, and name it by relative path.",
        )
    if not place.host:
        raise Unreadable(f"{named(uri)} names no host.")
    if any(_climbs(segment) for segment in place.path):
        raise Unreadable(f"{named(uri)} is refused: a segment of its path is '.' or '..'.")
    return place


def check(uri: str, allow: Iterable[str]) -> Place:
    """The place of a URI that may be fetched. Raises Unreadable that says which line would allow it."""
    place, entries = parse(uri), list(allow)
    if not any(parse(entry).covers(place) for entry in entries):
        listed = ", ".join(f'"{entry}"' for entry in [*entries, root(place)])
        raise Unreadable(
            f"{named(uri)} may not be fetched: no entry of allow covers it.",
            mend=f"Where you trust that place, set under [media] in settings.toml: allow = [{listed}]",
        )
    return place


def root(place: Place) -> str:
    """The URI of a whole host or bucket."""
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port == WEB.get(place.scheme, 0) else f":{place.port}"
    return f"{place.scheme}://{host}{port}/"


def is_remote(uri: str) -> bool:
    """Whether a URI leads out of the workspace: with a scheme, or one of Label Studio's own."""
    return "://" in uri or is_label_studio(uri)


def is_label_studio(uri: str) -> bool:
    """Whether a URI is one that Label Studio serves: an upload, or a local file."""
    return uri.startswith(("/data/upload/", "/data/local-files/"))


def origin(uri: str) -> str:
    """Where a remote URI leads, as far as its host or bucket. Never raises."""
    if is_label_studio(uri):
        return "Label Studio"
    try:
        return root(parse(uri))
    except Unreadable:
        return named(uri)


def named(uri: str) -> str:
    """A URI fit for messages and logs: without credentials, and of its query only that there is one."""
    scheme, there, rest = uri[:300].partition("://")
    if not there:
        return scheme
    host, slash, path = rest.partition("/")
    if scheme.lower() in WEB:
        path = path.partition("?")[0] + ("?…" if "?" in path else "")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _bucket(scheme: str, uri: str) -> Place:
    """Keys are taken as they are: nothing in them is encoded, and `#` and `?` are letters."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    if "@" in bucket:
        raise _credentials(uri)
    return Place("az" if scheme == "azure-blob" else scheme, bucket.lower(), 0, tuple(key.split("/")))


def _web(scheme: str, uri: str) -> Place:
    try:
        parts = urlsplit(uri)
        port, host = parts.port or WEB[scheme], _host(parts.hostname or "")
    except ValueError as error:  # UnicodeError is one
        raise Unreadable(f"{named(uri)} is no URI: {error}.") from error
    if "@" in parts.netloc:
        raise _credentials(uri)
    return Place(scheme, host, port, tuple(unquote(segment) for segment in parts.path.split("/")[1:]))


def _host(name: str) -> str:
    """A host in one spelling: an address as its library writes it, a name in IDNA without the final dot."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.rstrip(".").encode("idna").decode().lower()


def _climbs(segment: str) -> bool:
    """Whether a server could take a segment for a step up, however often it decodes it."""
    while (decoded := unquote(segment)) != segment:
        segment = decoded
    return bool({".", ".."} & set(segment.replace("\\", "/").split("/")))


def _credentials(uri: str) -> Unreadable:
    return Unreadable(
        f"{named(uri)} is refused: credentials stand in the URI.",
        mend="Take them out; credentials of buckets come from the environment.",
    )
