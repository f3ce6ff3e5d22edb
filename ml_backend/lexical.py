"""BM25 over the words of a corpus: titles, captions and whatever text its metadata hold."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from label_configs.records import Item, ScoredDoc


class Lexical:
    """The items that have words, by id. Ranks do not depend on the order of the corpus."""

    def __init__(self, items: Mapping[str, Item]) -> None:
        named = {doc_id: text for doc_id in sorted(items) if (text := words(items[doc_id]))}
        known = _telling(tokens(list(named.values())), len(items))
        self._doc_ids = [doc_id for doc_id, said in zip(named, known, strict=True) if said]
        self._bm25 = _bm25s().BM25()
        if self._doc_ids:
            self._bm25.index([said for said in known if said], show_progress=False)

    def search(self, text: str, reach: int) -> list[ScoredDoc]:
        """The items that share a word with the text, best first; ties by doc_id."""
        asked = tokens([text])[0] if text.strip() else []
        if not self._doc_ids or not asked:
            return []
        scores = self._bm25.get_scores(asked)
        order = np.argsort(-scores, kind="stable")[:reach]
        return [ScoredDoc("", self._doc_ids[n], float(scores[n])) for n in order if scores[n] > 0]


def words(item: Item) -> str:
    """All text that is known of an item."""
    return " ".join(part for part in (item.title, item.text, *_strings(item.metadata.values())) if part).strip()


def tokens(texts: list[str]) -> Any:
    """Lower-case words, English stop words left out."""
    return _bm25s().tokenize(texts, stopwords="en", return_ids=False, show_progress=False)


def _telling(texts: list[list[str]], of: int) -> list[list[str]]:
    """Without the words that all of several items hold, as a licence: they tell none from another."""
    counts = Counter(word for text in texts for word in set(text))
    return [[word for word in text if counts[word] < of or of == 1] for text in texts]


def _strings(values: Iterable[object]) -> Iterator[str]:
    """The strings of metadata, and those in its lists; numbers and deeper structures say nothing of words."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list | tuple):
            yield from (one for one in value if isinstance(one, str))


def _bm25s() -> Any:
    """The library, which sets its own logger to DEBUG at import."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    return bm25s
