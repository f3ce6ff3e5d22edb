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


def write(data: Dataset, folder: Path, configs: Sequence[Mapping[str, object]] = ()) -> None:
    """Write README.md, and ATTRIBUTION.tsv where items name an author or a source. configs: of the hub's loader."""
    import jinja2

    template = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 -- Markdown
    text = (resources.files("sync.formats") / "card.md").read_text("utf-8")
    files.write(folder / "README.md", template.from_string(text).render(_about(data, configs)))
    named = [(i.doc_id, _first(i, _LICENCE), _first(i, _ATTRIBUTION)) for i in data.items.values()]
    rows = ["\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in named if row[2]]
    if rows:
        files.write(folder / "ATTRIBUTION.tsv", "doc_id\tlicence\tattribution\n" + "".join(rows))


def _about(data: Dataset, configs: Sequence[Mapping[str, object]]) -> dict[str, object]:
    relevance = data.consensus.relevance
    grades = Counter(r.grade for r in relevance)
    asked = Counter(data.split(query_id) for query_id in {r.query_id for r in relevance})
    licences = _licences(data.items.values())
    return {
        "head": _head(data, licences, configs),
        "name": data.name,
        "annotators": len({j.annotator for j in data.by_people}),
        "pairs": len(relevance),
        "modalities": sorted(Counter(item.modality for item in data.items.values()).items()),
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


def _licences(items: Iterable[Item]) -> Counter[str]:
    return Counter(found for item in items if (found := _first(item, _LICENCE)))


def _first(item: Item, names: Sequence[str]) -> str:
    return next((str(item.metadata[name]) for name in names if item.metadata.get(name)), "")
