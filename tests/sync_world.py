"""A small data set whose figures can be worked out by hand, as a workspace's own files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from label_configs import rules as rules_file
from label_configs.records import Candidate, Judgment, Pool, Role, ScoredDoc
from label_configs.rules import Rules
from store import files, pools
from store.judgments import Table
from store.workspace import Workspace
from sync.dataset import Dataset

RULES: Rules = rules_file.parse(rules_file.preset())
COLORS = {"d1": "red", "d2": "orange", "d3": "blue", "d4": "green", "d5": "black", "d6": "white"}
QUERIES = {"q1": "something red", "q2": "something blue", "q3": "something old"}

Shown = tuple[str, Role, str, float]
"""doc_id, role, source, score"""
POOLS: Mapping[str, Sequence[Shown]] = {
    "q1": (
        ("d3", "hard_negative", "dense", 3.5),
        ("d1", "candidate", "dense", 5.0),
        ("d6", "random", "corpus", 0.5),
        ("d2", "candidate", "lexical", 4.0),
        ("d5", "control", "gold", 9.0),
        ("d4", "hard_negative", "neighbours", 3.0),
    ),
    "q2": (("d4", "hard_negative", "dense", 1.5), ("d2", "candidate", "dense", 2.0), ("d1", "candidate", "dense", 1.0)),
    "q3": (("d3", "candidate", "dense", 1.0),),
}
GRADES: Mapping[tuple[str, str], str] = {  # one digit an annotator: ada, bob
    ("q1", "d1"): "33",
    ("q1", "d2"): "22",
    ("q1", "d3"): "00",
    ("q1", "d4"): "33",
    ("q1", "d5"): "30",
    ("q1", "d6"): "00",
    ("q2", "d2"): "11",
    ("q2", "d4"): "00",
}


def grade(query_id: str, doc_id: str, value: object, annotator: str = "ada", **more: Any) -> Judgment:
    blank = {"project": 7, "task_id": 1, "annotation_id": 1, "updated_at": "2026-01-01T00:00:00.000000Z"}
    named = {"kind": "grade", "rules_hash": RULES.hash, "pool_id": "", "form": "graded", "round": 1, "position": 0}
    said = {"query_id": query_id, "doc_id": doc_id, "value": str(value), "annotator": annotator}
    return Judgment(**{**blank, **named, **said, **more})


def judgments() -> list[Judgment]:
    found = []
    for who, annotator in enumerate(("ada", "bob")):
        for (query_id, doc_id), values in GRADES.items():
            annotation = {"q1": 10, "q2": 20}[query_id] + who
            found.append(grade(query_id, doc_id, values[who], annotator, annotation_id=annotation))
    return found


def agreed(data: Dataset, given: Mapping[tuple[str, str], int]) -> Dataset:
    """The data set with these grades instead, from three annotators who agree."""
    said = [grade(q, d, value, who) for (q, d), value in given.items() for who in ("ada", "bob", "cleo")]
    return replace(data, judgments=said)


def pool(query_id: str, shown: Sequence[Shown]) -> Pool:
    candidates = tuple(Candidate(doc_id=d, role=role, source=s, score=score) for d, role, s, score in shown)
    return Pool(query_id=query_id, candidates=candidates, encoder="toy", index="i1", seed=0)


def make_workspace(root: Path, *, candidates: str = "image", settings: str = "", labelled: bool = True) -> Workspace:
    workspace = Workspace(root)
    files.write(workspace.rules_path, rules_file.preset())
    encoder, project = '[encoders.toy]\nmodel = "toy"', f'[projects.main]\nid = 7\ncandidates = "{candidates}"'
    files.write(workspace.settings_path, f"{encoder}\n{settings}\n{project}\n")
    files.write(root / "pseudonym.key", "test key\n", mode=0o600)
    rows = [{"_id": d, **_content(root, d, color, candidates)} for d, color in COLORS.items()]
    files.write(workspace.corpus, "".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"_id": q, "text": text} for q, text in QUERIES.items()]
    files.write(workspace.queries, "".join(json.dumps(row) + "\n" for row in asked))
    made = [pool(query_id, shown) for query_id, shown in POOLS.items()]
    pools.append(workspace.pools, made, [ScoredDoc(p.query_id, c.doc_id, c.score) for p in made for c in p.candidates])
    if labelled:
        Table(workspace.judgments / "7").append(judgments(), {})
    return workspace


def _content(root: Path, doc_id: str, color: str, modality: str) -> dict[str, str]:
    if modality == "text":
        return {"title": doc_id.upper(), "text": f"It is {color}."}
    path = root / "pictures" / f"{doc_id}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), color).save(path)
    return {"image": f"pictures/{doc_id}.png", "text": f"It is {color}."}
