"""Stretches of films and sounds whose content is known, and their files in a workspace."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ls_retrieval.demo import corpus
from ls_retrieval.demo.packs import LICENCE
from ls_retrieval.demo.pictures import Captioned


@dataclass(frozen=True, slots=True)
class Recording:
    """A stretch of a film or of a sound, in seconds. caption, head, group: of what is seen or heard; see Picture."""

    key: str
    modality: Literal["audio", "video"]
    path: Path
    start: float
    end: float
    caption: str
    head: str
    group: str


def write(recordings: Sequence[Recording], queries: Iterable[Captioned], workspace: Path, *, pack: str) -> None:
    """Write corpus.jsonl, queries.jsonl, truth.tsv and ATTRIBUTION.md, as `corpus.write` does of pictures.

    queries: what asks by its caption; of several with one caption, the first.
    """
    asked = list({corpus.query_id(query): query for query in reversed(list(queries))}.values())[::-1]
    corpus.write_lines(workspace / "corpus.jsonl", (_document(one, workspace, LICENCE[pack]) for one in recordings))
    corpus.write_asked(asked, recordings, workspace, pack=pack)


def _document(recording: Recording, workspace: Path, licence: str) -> str:
    place = recording.path.relative_to(workspace).as_posix()
    stretch = {"start": recording.start, "end": recording.end}
    return json.dumps({"_id": recording.key, recording.modality: place, **stretch, "metadata": {"licence": licence}})
