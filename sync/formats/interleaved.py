"""Interleaved pictures and text, as Flamingo learns from a few shots: `{train,dev}.jsonl`, a group of pairs a line.

`text` has `<image>` where the next of `images` belongs and `<|endofchunk|>` after each caption, as OpenFlamingo puts
them; `text_list` and `image_info` say the same in the fields of MMC4, with the pair's weight as `matched_sim`.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from label_configs.records import Modality, digest
from sync.dataset import Dataset
from sync.formats import base, captions, media, told
from sync.formats.captions import Captioned
from sync.splits import TRAINED, Split

HOLDS: frozenset[Modality] = frozenset({"image"})
SLOT, END = "<image>", "<|endofchunk|>"
SHOTS = 5
"""Pictures of a group; OpenFlamingo takes no more of one sequence."""


def write(data: Dataset, folder: Path) -> None:
    """Write train and dev."""
    captions.check(data, "interleaved", HOLDS, data.rules.positive)
    for split in TRAINED:
        base.lines(folder / f"{split}.jsonl", (_group(pairs, data, folder) for pairs in _groups(data, split)))


def _groups(data: Dataset, split: Split) -> Iterator[list[Captioned]]:
    """Every positive pair once, mixed by a hash of its ids, so that one query does not fill a group."""
    mixed = sorted(captions.positives(data, split, HOLDS), key=_hash)
    pairs = iter(mixed)
    while group := list(islice(pairs, SHOTS)):
        yield group


def _hash(pair: Captioned) -> str:
    return digest("interleaved", pair.relevance.query_id, pair.relevance.doc_id)


def _group(pairs: Sequence[Captioned], data: Dataset, folder: Path) -> dict[str, object]:
    texts = [pair.text.replace(SLOT, "< image>").replace(END, "< |endofchunk|>") for pair in pairs]
    images = [media.place(pair.medium, data, folder) for pair in pairs]
    return {
        "text": "".join(f"{SLOT}{text}{END}" for text in texts),
        "images": images,
        "text_list": texts,
        "image_info": [
            {"image_name": image, "matched_text_index": n, "matched_sim": base.expected(pair.relevance, data)}
            for n, (image, pair) in enumerate(zip(images, pairs, strict=True))
        ],
        "about": [
            {**told.about(pair.relevance, data), "reasons": told.reasons(pair.relevance, data)} for pair in pairs
        ],
    }
