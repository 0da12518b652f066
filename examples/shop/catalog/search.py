"""Search: a small index of words, built once."""

import re
from bisect import bisect_left
from collections import defaultdict

from shop.products import Product, by_popularity

WORDS_MAX = 8
"""Words of a query beyond these are not looked at."""

_WORD = re.compile(r"[^\W_]+")
_NAME, _TAG, _CATEGORY, _DESCRIPTION = 8, 4, 4, 1
_PREFIX_SHARE = 0.5
_STOP = frozenset({"a", "and", "for", "in", "of", "or", "set", "the", "to", "with", "without"})


def words_of(text: str) -> list[str]:
    """Return the words of ``text`` in lower case, without those that say nothing."""
    return [word for word in _WORD.findall(text.casefold()) if word not in _STOP]


class Index:
    """Which words stand in which products, and how much each counts there."""

    def __init__(self, products: tuple[Product, ...]) -> None:
        self._products = {product.id: product for product in products}
        weights: defaultdict[str, dict[int, int]] = defaultdict(dict)
        for product in products:
            for text, weight in (
                (product.name, _NAME),
                (" ".join(product.tags), _TAG),
                (product.category, _CATEGORY),
                (product.description, _DESCRIPTION),
            ):
                for word in words_of(text):
                    weights[word][product.id] = max(weight, weights[word].get(product.id, 0))
        self._weights = dict(weights)
        self._words = sorted(weights)

    def search(self, query: str) -> list[Product]:
        """Return the products that have every word of ``query``, the best match first.

        A word also matches words that begin with it, for half its weight, so that a query gives
        results while it is typed. A query without words finds nothing.
        """
        words = words_of(query)[:WORDS_MAX]
        if not words:
            return []
        scores = [self._scores(word) for word in words]
        found = set.intersection(*(set(score) for score in scores))

        def rank(product: Product) -> tuple[float, tuple[int, int]]:
            return (-sum(score[product.id] for score in scores), by_popularity(product))

        return sorted((self._products[one] for one in found), key=rank)

    def _scores(self, word: str) -> dict[int, float]:
        scores: dict[int, float] = dict(self._weights.get(word, {}))
        for longer in self._words[bisect_left(self._words, word) :]:
            if not longer.startswith(word):
                break
            for product_id, weight in self._weights[longer].items():
                scores[product_id] = max(scores.get(product_id, 0), weight * _PREFIX_SHARE)
        return scores
