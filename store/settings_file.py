"""Changes to settings.toml by a program: comments, order and line ends stay as somebody wrote them."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from label_configs.errors import Mendable
from label_configs.records import digest
from store import files, settings
from store.settings import Settings

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Value = int | float | str | None
Changes = Mapping[str, Mapping[str, Value]]
"""Section to key to value; None takes the key out of the file, so that its default holds."""


class Change(NamedTuple):
    """The file's text as it is and as it would be."""

    before: str
    after: str

    @property
    def base(self) -> str:
        """Names the text that the change was made for: it may be written over no other."""
        return digest(self.before)

    @property
    def diff(self) -> str:
        """What would change, as a unified diff; empty where nothing would."""
        before, after = self.before.splitlines(), self.after.splitlines()
        return "\n".join([*difflib.unified_diff(before, after, "settings.toml", "settings.toml", n=1, lineterm="")][2:])


def change(path: Path, changes: Changes) -> Change:
    """What the file would be with these values. Nothing is written.

    Raises Unreadable with every problem of the file, or of the values in it.
    """
    settings.load(path)
    before = path.read_bytes().decode()
    wanted = merged(tomllib.loads(before), changes, str(path))
    after = _rewritten(before, changes, wanted)
    if after is None or settings.parse(after.encode(), str(path)) != wanted:
        raise Mendable(f"{path} is laid out in a way that no program can change.", mend="Change it in an editor.")
    return Change(before, after)


def merged(values: Mapping[str, Any], changes: Changes, name: str) -> Settings:
    """The settings of these sections with changes in them. Raises Unreadable with every problem; name: for messages."""
    mixed = {**values}
    for section, some in changes.items():
        kept = {**mixed.get(section, {}), **some}
        mixed[section] = {key: value for key, value in kept.items() if value is not None}
    return settings.validated(mixed, name)


def write(path: Path, change: Change) -> None:
    """Write a change. Raises Mendable where the file has become another since, or cannot be written."""
    there = path.resolve()
    try:
        with files.locked(there.with_name(f".{there.name}.lock"), f"writing {path.name}"):
            if there.read_bytes() != change.before.encode():
                raise Mendable(f"{path} was changed meanwhile.", mend="Look at what it holds now, and try again.")
            files.write(there, change.after, there.stat().st_mode & 0o777)
    except OSError as error:
        raise Mendable(f"{path} cannot be written: {error.strerror}.", mend="Let the backend write there.") from error


def _rewritten(before: str, changes: Changes, wanted: Settings) -> str | None:
    """The text with the values that are wanted, each in its setting's own type; None where that is not possible."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(before)
        for section, values in changes.items():
            for key, value in values.items():
                _set(document, section, key, None if value is None else getattr(getattr(wanted, section), key))
        after = tomlkit.dumps(document)
    except TOMLKitError:
        return None
    return after.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in before else after


def _set(document: "TOMLDocument", section: str, key: str, value: object) -> None:
    """One key of one section: changed where it stands, new behind the section's last, or taken out."""
    import tomlkit
    from tomlkit.items import Comment, Table

    if section not in document and value is not None:
        document[section] = tomlkit.table()
    table: Any = document.get(section, {})
    body = table.value.body if isinstance(table, Table) else []
    last = next((item for name, item in reversed(body) if name), None)
    if value is None:
        table.pop(key, None)
    elif key not in table and last is not None and isinstance(body[-1][1], Comment):  # which is on the next section
        last.trivia.trail += f"{key} = {tomlkit.item(value).as_string()}\n"
    else:
        table[key] = value
