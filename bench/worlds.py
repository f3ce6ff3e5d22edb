"""Workspaces of a demo's other directions, whose truth is known as well: a folder each, with a project `main`."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from label_configs.records import Modality, digest
from ls_retrieval import compose
from ls_retrieval.demo import corpus, films, packs, recordings, run, sounds
from ls_retrieval.demo.pictures import Picture
from ls_retrieval.progress import track
from ml_backend import hub, library
from ml_backend.encoders.open_clip import OpenClip
from store import files, settings
from store.settings import Project
from store.workspace import Workspace

_TOWER = "tower.safetensors"


class Direction(NamedTuple):
    """What the queries and the candidates of a world are, and what its encoder has beside the demo's model."""

    query: Modality
    candidates: Modality
    encoder: Mapping[str, object] = {}


def made(name: str, demo: Workspace, folder: Path) -> Workspace:
    """The world of this name in `folder`, made and indexed where it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    there = Workspace(folder.resolve())
    if not there.settings_path.exists():
        direction = WORLDS[name](demo, there)
        files.write(there.settings_path, "\n".join(_settings(demo, direction.encoder)))
        project = Project(id=1, query=direction.query, candidates=direction.candidates)
        settings.add_project(there.settings_path, run.PROJECT, project)
    if not (there.index / "current.json").exists():
        compose.index(there)
    return there


def captions(demo: Workspace, there: Workspace) -> Direction:
    """Pictures ask for captions. An item is a caption of the pack, under a hash of it."""
    pictures, asking = _pictures(demo, there)
    ids = {caption: "t" + digest(caption) for caption in sorted({picture.caption for picture in pictures})}
    paths = {picture.key: picture.path.relative_to(there.root).as_posix() for picture in asking}
    grades = {(p.key, ids[other.caption]): corpus.grade(p, other) for p in asking for other in pictures}
    corpus.write_lines(there.corpus, _rows({"_id": ids[caption], "text": caption} for caption in ids))
    asked = ({"_id": p.key, "image": paths[p.key], "positives": [ids[p.caption]]} for p in asking)
    corpus.write_lines(there.queries, _rows(asked))
    truth = (f"{query_id} 0 {doc_id} {grade}" for (query_id, doc_id), grade in grades.items() if grade)
    corpus.write_lines(there.root / "truth.tsv", truth)
    return Direction("image", "text")


def scenes(demo: Workspace, there: Workspace) -> Direction:
    """Captions ask for scenes of films. An item is some seconds, in which one picture of the pack moves."""
    pictures, asking = _pictures(demo, there)
    recordings.write(films.films(pictures, there.root, track), asking, there.root, pack=_pack(demo))
    return Direction("text", "video", {"kind": "frames", "frames": 4})


def effects(demo: Workspace, there: Workspace) -> Direction:
    """Captions ask for sound effects. An item is the second half of one; the tower was fitted to the first halves."""
    heard = sounds.effects(demo.root / "cache", there.root, track)
    recordings.write(heard, heard, there.root, pack="stamps")
    text = OpenClip(settings.OpenClip.model_validate(_model(demo)), demo.root, demo.settings.media)
    sounds.fit(heard, text).save(there.root / _TOWER)
    return Direction("text", "audio", {"kind": "log-mel", "tower": _TOWER})


WORLDS: Mapping[str, Callable[[Workspace, Workspace], Direction]] = {
    "captions": captions,
    "films": scenes,
    "sounds": effects,
}


def _pictures(demo: Workspace, there: Workspace) -> tuple[list[Picture], list[Picture]]:
    """The demo's pictures, rendered here; and those whose captions its queries are."""
    items, queries = library.records(demo)
    pictures = packs.PACKS[_pack(demo)](demo.root / "cache", there.root, track, limit=len(items))
    return pictures, corpus.split(pictures, len(queries), run.SEED)[1]


def _pack(demo: Workspace) -> str:
    return (demo.root / "pack").read_text("utf-8").strip()


def _settings(demo: Workspace, encoder: Mapping[str, object]) -> Iterator[str]:
    """The demo's settings, with another encoder and without its projects."""
    yield "[encoders.clip]"
    yield from (f"{name} = {json.dumps(value)}" for name, value in {**_model(demo), **encoder}.items())
    kept = True
    for line in demo.settings_path.read_text("utf-8").splitlines():
        kept = not line.startswith(("[encoders", "[projects")) if line.startswith("[") else kept
        if kept:
            yield line
    yield ""


def _model(demo: Workspace) -> dict[str, object]:
    """The demo's model, named so that it is found from any folder."""
    choice = demo.settings.encoders["clip"]
    return {"model": hub.locate(choice.model, demo.root), "batch": choice.batch, "threads": choice.threads}


def _rows(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) for row in rows)
