"""Whose pseudonym an annotator has, for those who know a name or an id."""

import re
from typing import TYPE_CHECKING, Any

from label_configs.errors import Mendable
from sync.patience import ALONE, patiently
from sync.pull import pseudonym

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio


def needs_name(annotator: str) -> bool:
    """Whether Label Studio has to be asked who that is."""
    return not annotator.isdecimal() and not _is_pseudonym(annotator)


def of_id(key: str, annotator: str) -> str:
    """The pseudonym of an id of Label Studio, or the pseudonym itself."""
    return annotator if _is_pseudonym(annotator) else pseudonym(key, int(annotator))


def users(client: "LabelStudio", key: str) -> dict[str, int]:
    """Everybody whom Label Studio knows: pseudonym to id."""
    there: list[Any] = patiently("listing the users", lambda: client.users.list(request_options=ALONE))
    return {pseudonym(key, user.id): int(user.id) for user in there}


def of_name(client: "LabelStudio", key: str, annotator: str) -> str:
    """The pseudonym of the one user with that email or user name. Raises Mendable where there is none, or several."""
    users: list[Any] = patiently("looking up the annotator", lambda: client.users.list(request_options=ALONE))
    wanted = annotator.casefold()
    found = {user.id for user in users if wanted in {(user.email or "").casefold(), (user.username or "").casefold()}}
    if len(found) != 1:
        raise Mendable(
            f"Label Studio has {len(found) or 'no'} users with the email or user name {annotator!r}.",
            mend="Give the id of the user, as the organisation's page shows it, or the pseudonym in the judgments.",
        )
    return pseudonym(key, found.pop())


def _is_pseudonym(annotator: str) -> bool:
    return re.fullmatch("a[0-9a-f]{12}", annotator) is not None
