"""What a proposer is asked."""

from dataclasses import dataclass
from functools import cached_property

from label_configs.records import Query
from ml_backend.collection import Collection
from ml_backend.encoders.base import Vectors


@dataclass(frozen=True)
class Request:
    """A query on a collection; its vectors are made once for all proposers."""

    query: Query
    collection: Collection

    @cached_property
    def vectors(self) -> dict[str, Vectors]:
        """Encoder name to the query's vector, shape (dim,)."""
        return {name: space.encode(self.query) for name, space in self.collection.spaces.items()}

    @cached_property
    def positives(self) -> list[str]:
        """Known positives that are in the corpus."""
        return [doc_id for doc_id in self.query.positives if doc_id in self.collection.items]
