"""The data set card: what the data are, how they were judged, and under which licences, in the hub's own form."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

import yaml

from label_configs.records import Item
from store import files
from sync import splits
from sync.dataset import Dataset

_LICENCE = ("licence", "license")
_ATTRIBUTION = ("attribution", "author", "source")


def write(data: Dataset, folder: Path, *, whole: bool) -> None:
    """Write README.md, and ATTRIBUTION.tsv where items name an author or a source. whole: of all items, and not only of
    those that were judged.
    """
    import jinja2

    shown = {doc_id for j in (*data.spoken, *data.beside) for doc_id in (j.doc_id, j.other_doc_id)}
    items = [item for item in data.items.values() if whole or item.doc_id in shown]
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 -- Markdown
    text = (resources.files("sync.formats") / "card.md").read_text("utf-8")
    files.write(folder / "README.md", template.from_string(text).render(_about(data, items, _configs(folder))))
    named = [(i.doc_id, _first(i, _LICENCE), _first(i, _ATTRIBUTION)) for i in items]
    rows = ["\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in named if row[2]]
    if rows:
        files.write(folder / "ATTRIBUTION.tsv", "doc_id\tlicence\tattribution\n" + "".join(rows))


def _about(data: Dataset, items: Sequence[Item], configs: Sequence[Mapping[str, object]]) -> dict[str, object]:
    relevance = data.consensus.relevance
    grades = Counter(r.grade for r in relevance)
    judged = {(j.query_id, j.doc_id) for j in (*data.spoken, *data.beside)}
    asked = Counter(data.split(query_id) for query_id in {query_id for query_id, _ in judged})
    licences = _licences(items)
    return {
        "head": _head(data, licences, configs),
        "name": data.name,
        "annotators": len({j.annotator for j in data.by_people}),
        "pairs": len(judged),
        "method": data.settings.consensus.method,
        "modalities": sorted(Counter(item.modality for item in items).items()),
        "queries": [(name, asked[name]) for name in splits.NAMES if asked[name]],
        "rules": data.rules,
        "grades": [(grade, grades[grade.value]) for grade in data.rules.grades],
        "leaks": len(data.leaks),
        "licences": sorted(licences.items()),
    }


def _head(data: Dataset, licences: Mapping[str, int], configs: Sequence[Mapping[str, object]]) -> str:
    about: dict[str, object] = {"pretty_name": data.name, "tags": ["retrieval", "hard-negatives", "label-studio"]}
    if licences:
        about["license"] = "other" if len(licences) > 1 else next(iter(licences)).lower()
        about["license_details"] = "; ".join(sorted(licences))
    if configs:
        about["configs"] = [dict(config) for config in configs]
    return yaml.safe_dump(about, sort_keys=False, allow_unicode=True)


def _configs(folder: Path) -> list[dict[str, object]]:
    """The tables of the hub's layout by the names that its loader has for them, and once more for `reranking`."""
    there = [name for name in splits.NAMES if (folder / "qrels" / f"{name}.parquet").exists()]
    if not there:
        return []
    tables: dict[str, Sequence[str]] = {"corpus": ["corpus"], "queries": ["queries"], "qrels": there}
    ranked = {**tables, "top_ranked": there}
    named = [(name, name, parts) for name, parts in tables.items()]
    named += [(f"reranking-{name}", name, parts) for name, parts in ranked.items()]
    return [
        {"config_name": config, "data_files": [{"split": part, "path": f"{name}/{part}.parquet"} for part in parts]}
        for config, name, parts in named
    ]


def _licences(items: Iterable[Item]) -> Counter[str]:
    return Counter(found for item in items if (found := _first(item, _LICENCE)))


def _first(item: Item, names: Sequence[str]) -> str:
    return next((str(item.metadata[name]) for name in names if item.metadata.get(name)), "")
