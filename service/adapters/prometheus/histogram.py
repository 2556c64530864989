"""A prometheus_client histogram with bulk observations: one at a time takes longer than a small model."""

import math
from bisect import bisect_left
from collections.abc import Iterable

from prometheus_client import Histogram

MAX_EXEMPLAR_CHARS = 100
"""Characters of a request id in an exemplar: the format's limit is 128, including the label's name."""


class ManyHistogram(Histogram):
    """A histogram that takes many observations at once."""

    def observe_many(self, observations: Iterable[tuple[float, str]]) -> None:
        """Equals `observe` for each (amount, request id); the id may be empty. A bucket's exemplar is its latest
        observation with a valid id.

        The buckets are filled through prometheus_client's private `_upper_bounds`, `_buckets` and `_sum`.
        """
        by_bucket: dict[int, list[float]] = {}
        exemplars: dict[int, tuple[float, str]] = {}
        for amount, request_id in observations:
            index = bisect_left(self._upper_bounds, amount)
            by_bucket.setdefault(index, []).append(amount)
            if request_id and _fits_exemplar(request_id):
                exemplars[index] = amount, request_id
        for amount, request_id in exemplars.values():
            self.observe(amount, {"request_id": request_id})
        self._sum.inc(sum(map(math.fsum, by_bucket.values())) - sum(amount for amount, _ in exemplars.values()))
        for index, amounts in by_bucket.items():
            self._buckets[index].inc(len(amounts) - (index in exemplars))


def _fits_exemplar(request_id: str) -> bool:
    return 0 < len(request_id) <= MAX_EXEMPLAR_CHARS and request_id.isascii() and request_id.isprintable()
