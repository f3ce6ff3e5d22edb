"""Parquet as `datasets` and trainers read it: columns in their order, media as features, batch by batch."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from label_configs.errors import Mendable
from label_configs.records import Modality
from store import files

_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_BATCH = 1000
Kind = Literal[
    "text", "image", "audio", "video", "texts", "images", "audios", "videos", "float", "int", "id", "bool", "floats"
]
"""What a column holds, in the plural a list of it; media as cells of `sync.formats.media`."""
_LISTS: Mapping[Modality, Kind] = {"text": "texts", "image": "images", "audio": "audios", "video": "videos"}
_TYPES: Mapping[str, tuple[pa.DataType, dict[str, Any]]] = {
    "text": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "image": (_MEDIA, {"_type": "Image"}),
    "audio": (_MEDIA, {"_type": "Audio"}),
    "video": (_MEDIA, {"_type": "Video"}),
    "float": (pa.float64(), {"dtype": "float64", "_type": "Value"}),
    "int": (pa.int32(), {"dtype": "int32", "_type": "Value"}),
    "id": (pa.int64(), {"dtype": "int64", "_type": "Value"}),
    "bool": (pa.bool_(), {"dtype": "bool", "_type": "Value"}),
    "floats": (pa.list_(pa.float64()), {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "List"}),
    "texts": (pa.list_(pa.string()), {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}),
    "images": (pa.list_(_MEDIA), {"feature": {"_type": "Image"}, "_type": "List"}),
    "audios": (pa.list_(_MEDIA), {"feature": {"_type": "Audio"}, "_type": "List"}),
    "videos": (pa.list_(_MEDIA), {"feature": {"_type": "Video"}, "_type": "List"}),
}


def write(path: Path, columns: Mapping[str, Kind], rows: Iterable[Sequence[object]]) -> bool:
    """Write rows as they come, in the order of the columns; without rows, no file. Returns whether there were any."""
    rows = iter(rows)
    batch = list(islice(rows, _BATCH))
    if not batch:
        return False
    schema = _schema(columns)
    with files.replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while batch:
            cells = zip(*batch, strict=True)
            arrays = [pa.array(list(column), schema.field(n).type) for n, column in enumerate(cells)]
            writer.write_table(pa.table(arrays, schema=schema))
            batch = list(islice(rows, _BATCH))
    return True


def kind(modalities: Iterable[Modality], column: str = "", *, listed: bool = False) -> Kind:
    """The kind of a column of records, or lists of them, of these modalities. Raises Mendable for several."""
    several = sorted(set(modalities))
    if len(several) != 1:
        raise Mendable(
            f"The column {column!r} would hold {' and '.join(several)}; it can hold one of them.",
            mend="Take beir, mteb or tevatron, which have a column for each; or export a project of one modality.",
        )
    return _LISTS[several[0]] if listed else several[0]


def _schema(columns: Mapping[str, Kind]) -> pa.Schema:
    features = {name: _TYPES[kind][1] for name, kind in columns.items()}
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([(name, _TYPES[kind][0]) for name, kind in columns.items()], metadata=told)
