"""The sound effects of the stamps, and a stand-in for an audio model that is fitted to their first halves.

Each effect is cut in two: the tower is fitted to the first half and its caption, the second is in the corpus. So the
demo shows that text finds sounds that were not in the fit, of things that were: it says nothing of a model's worth.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from label_configs.errors import Mendable, Unreadable
from ls_retrieval.demo import stamps
from ls_retrieval.demo.pictures import Track, fresh, head_noun
from ls_retrieval.demo.recordings import Recording

if TYPE_CHECKING:
    from ml_backend.encoders.base import Encoder
    from ml_backend.encoders.log_mel import Tower

SHORTEST = 0.4
"""Seconds that an effect must last: a half of less is no sound that people could judge."""
LONGEST = 60.0
PENALTY = 1.0


def effects(cache: Path, workspace: Path, track: Track) -> list[Recording]:
    """The second halves of the stamps' effects, in the order of their keys; the package is fetched into `cache`.

    What is silent or too short is left out: the pack has placeholders without a sound.
    """
    return read(stamps.fetch(cache) / stamps.STAMPS, workspace, track)


def read(folder: Path, workspace: Path, track: Track) -> list[Recording]:
    """The second halves of the effects in a folder of stamps, each copied into media/sounds under its hash."""
    found = {
        one.key: one for path in track(list(_paths(folder)), "Reading sounds") for one in _half(path, folder, workspace)
    }
    return [found[key] for key in sorted(found)]


def _paths(folder: Path) -> Iterator[Path]:
    """Every effect outside symbols/ whose stamp has a caption."""
    for described in sorted(folder.rglob("*.txt")):
        if described.relative_to(folder).parts[0] != "symbols":
            yield from filter(Path.exists, map(described.with_suffix, (".ogg", ".wav")))


def _half(path: Path, folder: Path, workspace: Path) -> Iterator[Recording]:
    from ml_backend.decoding.sound import waveform
    from ml_backend.encoders.log_mel import RATE

    content = path.read_bytes()
    try:
        seconds = math.floor(len(waveform(content, RATE, LONGEST)) / RATE * 100) / 100
    except Unreadable:
        return
    if seconds < SHORTEST:
        return
    key = "s" + hashlib.sha256(content).hexdigest()[:10]
    copied = workspace / "media" / "sounds" / f"{key}{path.suffix}"
    if not copied.exists():
        with fresh(copied) as temporary:
            temporary.write_bytes(content)
    caption = path.with_suffix(".txt").read_text(encoding="utf-8").partition("\n")[0].strip()
    group = stamps.subject(path.parent.relative_to(folder))
    yield Recording(key, "audio", copied, seconds / 2, seconds, caption, head_noun(caption), group)


def fit(recordings: Sequence[Recording], text: "Encoder") -> "Tower":
    """Ridge regression from the statistics of the first halves, standardised, to the captions' vectors, centred.

    W = Xᵀ (X Xᵀ + λ I)⁻¹ Y, λ = PENALTY times the mean of the diagonal of X Xᵀ. Raises Mendable for nothing to fit.
    """
    from ml_backend.decoding.sound import waveform
    from ml_backend.encoders.log_mel import RATE, Tower, statistics
    from store.media import Clip

    if not recordings:
        raise Mendable("There is no sound to fit the demo's audio tower to.", mend="use the stamps, which have sounds")
    halves = [Clip(one.path.read_bytes(), 0.0, one.start) for one in recordings]
    heard = np.stack([statistics(waveform(half, RATE, LONGEST)) for half in halves])
    said = text.encode("text", [one.caption for one in recordings])
    centre, scale, bias = heard.mean(axis=0), np.maximum(heard.std(axis=0), 1e-3), said.mean(axis=0)
    x, y = (heard - centre) / scale, said - bias
    gram = x @ x.T
    penalty = PENALTY * max(float(gram.diagonal().mean()), 1e-6) * np.eye(len(x), dtype=np.float32)
    weight = x.T @ np.linalg.solve(gram + penalty, y)
    return Tower(centre, scale, weight.astype(np.float32), bias, text.fingerprint)
