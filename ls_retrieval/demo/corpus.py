"""The demo's files: a corpus without captions, queries on held-out concepts, and their graded truth."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from label_configs.records import Qrel, digest
from ls_retrieval.demo.packs import ATTRIBUTION, LICENCE
from ls_retrieval.demo.pictures import Captioned, Picture, fresh

FEWEST, MOST = 2, 8


def split(pictures: Sequence[Picture], n_queries: int, seed: int) -> tuple[list[Picture], list[Picture]]:
    """The pictures that a model may be fitted to, and one picture for each of `n_queries` held-out concepts.

    Concepts (head nouns) are drawn by a seeded hash, those with FEWEST to MOST pictures before others, so that
    most queries have a second best answer and few pictures are lost to the fit. No picture that shares its head
    or caption with a query is in the fit, and pictures without a head are never queries.
    """
    concepts: dict[str, list[Picture]] = {}
    for picture in pictures:
        if picture.head:
            concepts.setdefault(picture.head, []).append(picture)
    drawn = sorted(concepts, key=lambda head: (not FEWEST <= len(concepts[head]) <= MOST, digest(seed, head)))
    queries = [min(concepts[head], key=lambda p: digest(seed, p.key)) for head in drawn[:n_queries]]
    heads, captions = {query.head for query in queries}, {query.caption for query in queries}
    return [p for p in pictures if p.head not in heads and p.caption not in captions], queries


def grade(query: Captioned, picture: Captioned) -> int:
    """How relevant a picture (a film, a sound) is to the caption of another: the rule of the demo's truth.

    3: the same caption. 2: the same head noun (a brown hat for a cowboy hat). 1: the same leaf folder or subgroup
    (another piece of clothing). 0: none of these. The rule knows words, not pixels: a "sea lion" is a lion to it.
    """
    if picture.caption == query.caption:
        return 3
    if query.head and picture.head == query.head:
        return 2
    return int(picture.group == query.group)


def query_id(query: Captioned) -> str:
    """The id of the query that asks with a picture's caption."""
    return "q" + digest(query.caption)[:10]


def truth(queries: Iterable[Captioned], pictures: Sequence[Captioned]) -> Iterator[Qrel]:
    """All pairs of query and picture with a grade above 0."""
    for query in queries:
        graded = ((picture.key, grade(query, picture)) for picture in pictures)
        yield from (Qrel(query_id(query), key, value) for key, value in graded if value)


def write(
    pictures: Sequence[Picture],
    workspace: Path,
    *,
    n_queries: int,
    seed: int,
    tags: Mapping[str, list[str]],
    pack: str,
) -> None:
    """Write corpus.jsonl, queries.jsonl, truth.tsv and ATTRIBUTION.md into `workspace`, each whole or not at all.

    The corpus holds no caption and no file name that tells one: only the picture and the machine's `tags`, by key.
    `pack` names the pack that the pictures come from, for licence and attribution.
    truth.tsv has TREC's qrels form, `query_id 0 doc_id grade`; `grade` says what the grades mean.
    """
    documents = (_document(p, workspace, tags.get(p.key, []), LICENCE[pack]) for p in pictures)
    write_lines(workspace / "corpus.jsonl", documents)
    write_asked(split(pictures, n_queries, seed)[1], pictures, workspace, pack=pack)


def write_asked(queries: Sequence[Captioned], items: Sequence[Captioned], workspace: Path, *, pack: str) -> None:
    """Write what goes with a corpus of these items: queries.jsonl, truth.tsv and ATTRIBUTION.md."""
    write_lines(workspace / "queries.jsonl", (_query(query, items) for query in queries))
    rows = (f"{row.query_id} 0 {row.doc_id} {row.relevance}" for row in truth(queries, items))
    write_lines(workspace / "truth.tsv", rows)
    write_lines(workspace / "ATTRIBUTION.md", [ATTRIBUTION[pack].rstrip()])


def _document(picture: Picture, workspace: Path, tags: list[str], licence: str) -> str:
    image = picture.path.relative_to(workspace).as_posix()
    metadata = {"tags": tags, "licence": licence}
    return json.dumps({"_id": picture.key, "title": "", "text": "", "image": image, "metadata": metadata})


def _query(query: Captioned, pictures: Iterable[Captioned]) -> str:
    positives = [picture.key for picture in pictures if picture.caption == query.caption]
    asked = {"_id": query_id(query), "text": query.caption, "positives": positives, "domain": query.group}
    return json.dumps(asked, ensure_ascii=False)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a file of lines, whole or not at all."""
    with fresh(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
