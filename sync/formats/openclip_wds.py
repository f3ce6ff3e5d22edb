"""Pairs for open_clip as WebDataset shards: `{train,dev}/00000.tar` with `k.jpg k.txt k.json`, and `sizes.json`.

`--train-data '…/train/{00000..00007}.tar'` finds the number of pairs in `sizes.json`. open_clip takes no negatives and
no weights: `k.json` says which query and item it is, and with which grade, reasons and weight.
"""

from pathlib import Path

import msgspec

from label_configs.records import Modality
from sync.dataset import Dataset
from sync.formats import captions, shards, told
from sync.formats.captions import Captioned
from sync.splits import TRAINED

HOLDS: frozenset[Modality] = frozenset({"image"})


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev; shards hold the pictures themselves, whatever `[export] media` says."""
    captions.check(data, "openclip-wds", HOLDS, data.rules.positive)
    for split in TRAINED:
        rows = captions.positives(data, split, HOLDS)
        shards.write(folder / split, (_sample(pair, data) for pair in rows))


def _sample(pair: Captioned, data: Dataset) -> shards.Sample:
    content, extension = shards.medium(pair.medium, data)
    about = {**told.about(pair.relevance, data), "reasons": told.reason(pair.relevance, data)}
    return {extension: content, "txt": pair.text.encode(), "json": msgspec.json.encode(about)}
