"""The index of one corpus under one encoder: nearest documents by inner product.

Small corpora are searched exactly. Larger ones get an approximate kind whose recall is measured when it is built and
has to reach what `[index]` of settings.toml asks for; otherwise they are searched exactly too. What is new since then
lies in a small segment beside it, searched exactly; what is gone is passed over; when both have become many, the index
is built anew. A build switches over last: an interrupted one leaves the old index in place.
"""

from ml_backend.index.building import build
from ml_backend.index.layout import About, about, current
from ml_backend.index.opened import Index, load

__all__ = ["About", "Index", "about", "build", "current", "load"]
