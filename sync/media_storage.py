"""The bucket that cards' pictures lie in, as a source storage of their project: Label Studio resolves URIs through it.

Label Studio finds the storage by the bucket alone, takes the credentials into its database, and tells them to nobody.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from label_configs.records import Shown
from store import secrets
from store.media import Media
from store.settings import Media as MediaSettings
from store.settings import Project
from sync.label_studio import ONCE, explained

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

TITLE = "ls-retrieval: pictures of cards"
_NOTHING = "$^"
"""What names of objects have to match to become tasks: none does, should somebody press Sync."""
_BY_HAND = {"gs": "Google Cloud Storage", "az": "Microsoft Azure"}


class Bucket(NamedTuple):
    """A bucket, and where in it."""

    scheme: str
    name: str
    prefix: str


def wanted(settings: MediaSettings, query: Shown, candidates: Shown) -> bool:
    """Whether a project of these modalities needs a storage."""
    return settings.serve == "s3" and {query, candidates} != {"text"}


def ensure(client: "LabelStudio", project: Project, media: Media) -> Iterator[str]:
    """Let Label Studio show what lies in `[media] to` to the project's annotators; a line on what was done and sent.

    A storage of ours is brought up to date, credentials too; one that somebody else made on the bucket is left alone.
    Raises Mendable where the bucket takes nothing, or Label Studio does not reach it.
    """
    bucket = parse(media.settings.to)
    if bucket.scheme != "s3":
        yield _by_hand(bucket)
        return
    media.open_shelf()
    with _reached(media.settings.to, _endpoint()):
        there = [one for one in client.import_storage.s3.list(project=project.id) if one.bucket == bucket.name]
        ours = next((one for one in there if one.title == TITLE), None)
        if there and ours is None:
            yield f"media: Label Studio reads s3://{bucket.name} by the storage {there[0].title or there[0].id!r}"
            return
        fields, how = _fields(bucket, presign=media.settings.presign)
        if ours is None or ours.id is None:
            client.import_storage.s3.create(project=project.id, request_options={**ONCE, **how}, **fields)
        else:
            client.import_storage.s3.update(ours.id, project=project.id, request_options=how, **fields)
    yield f"media: Label Studio reads {media.settings.to}; {_sent()}"


def parse(url: str) -> Bucket:
    """The parts of s3://bucket/prefix, gs://bucket/prefix or az://container/prefix."""
    scheme, _, path = url.partition("://")
    name, _, prefix = path.partition("/")
    return Bucket(scheme, name, prefix.strip("/"))


def _fields(bucket: Bucket, *, presign: bool) -> tuple[dict[str, Any], Any]:
    """The storage's fields, and those that the SDK sends under another name than the server reads."""
    fields = {
        "title": TITLE,
        "bucket": bucket.name,
        "prefix": bucket.prefix,
        "regex_filter": _NOTHING,
        "use_blob_urls": True,
        "presign": presign,
        "region_name": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "",
        **{f"aws_{name.lower()}": value for name, value in _credentials()[1].items()},
    }
    return fields, {"additional_body_parameters": {"s3_endpoint": _endpoint()}}


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL", "")


def _credentials() -> tuple[str, dict[str, str]]:
    """Where the names of the credentials begin, and the credentials: those for Label Studio alone, else our own."""
    names = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
    for start in ("LABEL_STUDIO_AWS", "AWS"):
        if secrets.find(f"{start}_ACCESS_KEY_ID"):
            return start, {name: secrets.find(f"{start}_{name}") or "" for name in names}
    return "", dict.fromkeys(names, "")


def _sent() -> str:
    start, given = _credentials()
    if not start:
        return "no credentials were sent: it uses those of its own environment"
    names = " and ".join(f"{start}_{name}" for name, value in given.items() if value)
    own = ", which may write there: LABEL_STUDIO_AWS_ACCESS_KEY_ID names others" if start == "AWS" else ""
    expires = "; they expire, run init again before that" if given["SESSION_TOKEN"] else ""
    return f"it was sent {names}{own}{expires}"


def _by_hand(bucket: Bucket) -> str:
    return (
        f"media: make a source storage of {_BY_HAND[bucket.scheme]} by hand, in the project's settings under Cloud "
        f"Storage: {bucket.name}, prefix {bucket.prefix or '(none)'}, file filter {_NOTHING}; save it, and do not sync"
    )


@contextmanager
def _reached(url: str, endpoint: str) -> Iterator[None]:
    """Say what Label Studio means when it refuses a storage: it tries every one before it keeps it."""
    from label_studio_sdk.core.api_error import ApiError

    with explained(f"adding {url} as source storage"):
        try:
            yield
        except ApiError as error:
            said = error.body if isinstance(error.body, dict) else {}
            if error.status_code == 403 and endpoint:
                raise Mendable(
                    f"Label Studio refuses {endpoint} as the address of an S3 server: {said.get('detail')}",
                    mend="Let it call that address, as docs/label-studio.md says of the ML backend's; or start it with "
                    "S3_ENDPOINT set to that address, and run init without AWS_ENDPOINT_URL.",
                ) from error
            if error.status_code in {400, 500}:
                raise Mendable(
                    f"Label Studio cannot read {url}: {said.get('validation_errors') or said.get('detail')}",
                    mend="Check the bucket, AWS_REGION, AWS_ENDPOINT_URL as Label Studio reaches it, and what the "
                    "credentials may list and read.",
                ) from error
            raise
