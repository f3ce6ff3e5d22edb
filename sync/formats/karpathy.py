"""Captions as Karpathy's splits hold them: `dataset.json` with images[{filename, split, sentences}], pictures beside.

Both directions are in it: a picture has all the texts that people matched with it, and a text that several pictures
answer has one `sentid` in all of them. `dev` is named `val`, as there.
"""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, count
from pathlib import Path

from label_configs.records import Item, Modality, Query
from sync import splits
from sync.dataset import Dataset
from sync.formats import base, captions, media, told
from sync.formats.captions import Captioned
from sync.splits import Split

HOLDS: frozenset[Modality] = frozenset({"image"})
_WORDS = re.compile(r"\w+")


def write(data: Dataset, folder: Path) -> None:
    """Write all splits into one file, picture by picture."""
    captions.check(data, "karpathy", HOLDS, data.rules.positive)
    images = _images(data, folder)
    for first in images:
        opening = f'{{"dataset": {json.dumps(data.name)}, "images": [\n{base.line(first)}'
        base.text(folder / "dataset.json", chain([opening], (f",{base.line(image)}" for image in images), ["]}\n"]))


def _images(data: Dataset, folder: Path) -> Iterator[dict[str, object]]:
    sentids: dict[str, int] = {}
    imgids = count()
    for split in splits.NAMES:
        for pairs in _by_picture(data, split):
            imgid, said = next(imgids), {sentids.setdefault(p.text, len(sentids)): p for p in pairs}
            filepath, _, filename = media.place(pairs[0].medium, data, folder).rpartition("/")
            yield {
                "filepath": filepath,
                "filename": filename,
                "imgid": imgid,
                "split": {"dev": "val"}.get(split, split),
                "sentids": list(said),
                "sentences": [_sentence(pair, imgid, sentid, data) for sentid, pair in said.items()],
            }


def _by_picture(data: Dataset, split: Split) -> Iterable[list[Captioned]]:
    """The pairs of a split by their picture, which is an item or a query, in the order of its ids."""
    found: dict[tuple[str, str], list[Captioned]] = {}
    for pair in captions.positives(data, split, HOLDS):
        doc_id = pair.medium.doc_id if isinstance(pair.medium, Item) else ""
        query_id = pair.medium.query_id if isinstance(pair.medium, Query) else ""
        found.setdefault((query_id, doc_id), []).append(pair)
    return (found[key] for key in sorted(found))


def _sentence(pair: Captioned, imgid: int, sentid: int, data: Dataset) -> dict[str, object]:
    r = pair.relevance
    about = {**told.about(r, data), "reasons": told.reasons(r, data)}
    return {"raw": pair.text, "tokens": _WORDS.findall(pair.text.lower()), "imgid": imgid, "sentid": sentid, **about}
