"""Train, dev and test by a hash of query_id: stable while the data grows."""

import hashlib

from store.settings import Splits

NAMES = ("train", "dev", "test")


def split(query_id: str, shares: Splits) -> str:
    """The split of a query: its hash as a number between 0 and 1, laid over test, dev, train in that order."""
    place = int.from_bytes(hashlib.sha256(f"split\0{query_id}".encode()).digest()[:8], "big") / 2**64
    if place < shares.test:
        return "test"
    return "dev" if place < shares.test + shares.dev else "train"
