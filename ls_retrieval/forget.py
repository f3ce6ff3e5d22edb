"""The command `forget`: an annotator or an item is erased from the workspace, its history too."""

import shutil
from collections.abc import Iterator

from label_configs.errors import Mendable, Unreadable
from label_configs.records import Item
from ls_retrieval import compose
from store import erasing, forgotten
from store.erasing import Target
from store.judgments import Table
from store.media import Media
from store.workspace import Workspace
from sync import export as exporting
from sync import forget as names

_ELSEWHERE = (
    "Not touched: Label Studio's own data; what was learned (run `ls-retrieval learn`); published versions in buckets "
    "(sync again, and an hour later `ls-retrieval sync --prune 1`)"
)


def annotator(workspace: Workspace, who: str, *, dry_run: bool = False) -> Iterator[str]:
    """Erase what an annotator said; a sentence for each thing touched. who: email, user name, id, pseudonym."""
    key = compose.pseudonym_key(workspace)
    if names.needs_name(who):
        with compose.label_studio() as client:
            target = Target(annotator=names.of_name(client, key, who))
    else:
        target = Target(annotator=names.of_id(key, who))
    if not dry_run:
        denied = forgotten.load(workspace.judgments, key)
        forgotten.save(workspace.judgments, denied.with_annotator(target.annotator))
    yield from _judgments(workspace, target, dry_run)
    yield from _exports(workspace, dry_run)
    yield _ELSEWHERE + "."


def item(workspace: Workspace, doc_id: str, query_id: str = "", *, dry_run: bool = False) -> Iterator[str]:
    """Erase an item, for one query or for all; a sentence for each thing that was touched.

    Without a query its thumbnails, cached media and vectors go as well, as far as the corpus still tells which they
    are: so forget it first, and take its row out of the corpus then.
    """
    target = Target(doc_id=doc_id, query_id=query_id)
    if _find(workspace, doc_id) is None and not _told(workspace, target):
        raise Mendable(f"Nothing here tells of an item {doc_id!r}.", mend="Give its doc_id as the corpus writes it.")
    if not dry_run:
        denied = forgotten.load(workspace.judgments, compose.pseudonym_key(workspace))
        forgotten.save(workspace.judgments, denied.with_item(doc_id, query_id))
    yield from _judgments(workspace, target, dry_run)
    yield f"pools: {_pools(workspace, target, dry_run)} rows"
    if not query_id:
        yield from _content(workspace, doc_id, dry_run)
    yield from _exports(workspace, dry_run)
    rows = f"gold.tsv, known.tsv and {workspace.corpus.name}"
    yield f"{_ELSEWHERE}; its rows in {rows} (take them out, then run `ls-retrieval index`)."


def _told(workspace: Workspace, target: Target) -> bool:
    """Whether judgments or pools tell of it."""
    tables = [Table(path) for path in workspace.judgments.glob("*") if path.name.isdecimal()]
    judged = sum(erasing.judgments(table, target, dry_run=True) for table in tables)
    return bool(judged or _pools(workspace, target, dry_run=True))


def _pools(workspace: Workspace, target: Target, dry_run: bool) -> int:
    """Rows of all pools, those of projects that qualify or adjudicate among them."""
    folders = [workspace.pools, *(path for path in workspace.pools.glob("*") if path.name.isdecimal())]
    return sum(erasing.pools(folder, target, dry_run=dry_run) for folder in folders)


def _judgments(workspace: Workspace, target: Target, dry_run: bool) -> Iterator[str]:
    for folder in sorted(path for path in workspace.judgments.glob("*") if path.name.isdecimal()):
        count = erasing.judgments(Table(folder), target, dry_run=dry_run)
        yield f"judgments of project {folder.name}: {count} rows"


def _exports(workspace: Workspace, dry_run: bool) -> Iterator[str]:
    """Data sets are made of the judgments: all go, and `export` makes them anew."""
    there = sorted(path for path in workspace.exports.glob("*") if path.is_dir())
    if there and not dry_run:
        with exporting.alone(workspace.exports):
            for path in there:
                shutil.rmtree(path)
    yield f"exports: {', '.join(path.name for path in there) or 'none'}"


def _content(workspace: Workspace, doc_id: str, dry_run: bool) -> Iterator[str]:
    """Whatever was made of the item's own content."""
    found = _find(workspace, doc_id)
    if found is None:
        yield f"media and vectors: {doc_id!r} is not in {workspace.corpus.name}, so that nobody can tell which are its"
        return
    media = Media(workspace.root, workspace.settings.media)
    try:
        vectors = _vectors(workspace, found, media, dry_run)
        made = media.made(found)
    except Unreadable as error:
        yield f"media and vectors: {error.line}"
        return
    for path in made if not dry_run else ():
        path.unlink()
    yield f"media: {len(made)} files below media/thumbs and media/cache"
    yield f"embeddings: {vectors} vectors"


def _vectors(workspace: Workspace, found: Item, media: Media, dry_run: bool) -> int:
    from ml_backend.vectors import VectorStore, key

    wanted = key(found.modality, media.content(found))
    count = 0
    for folder in sorted(path for path in workspace.embeddings.glob("*") if path.is_dir()):
        stored = VectorStore(folder)
        if wanted in stored:
            count += 1
            if not dry_run:
                stored.erase(wanted)
    return count


def _find(workspace: Workspace, doc_id: str) -> Item | None:
    try:
        return next((one for one in workspace.read_items().records if one.doc_id == doc_id), None)
    except Mendable:
        return None
