"""prometheus_client's histogram, for many observations: one at a time, they take longer than a small model."""

import math
from bisect import bisect_left
from collections.abc import Iterable

from prometheus_client import Histogram

LONGEST_EXEMPLAR = 100
"""Characters of a request id that an exemplar may have: 128 with its name is the format's limit."""


class ManyHistogram(Histogram):
    """A histogram that takes many observations at once."""

    def observe_many(self, observed: Iterable[tuple[float, str]]) -> None:
        """The same as `observe` with each of these, which have a request id, or none. A bucket's exemplar is the latest
        that can be shown.
        """
        places: dict[int, list[float]] = {}
        shown: dict[int, tuple[float, str]] = {}
        for amount, request_id in observed:
            place = bisect_left(self._upper_bounds, amount)
            places.setdefault(place, []).append(amount)
            if request_id and _can_be_shown(request_id):
                shown[place] = amount, request_id
        for amount, request_id in shown.values():
            self.observe(amount, {"request_id": request_id})
        self._sum.inc(sum(map(math.fsum, places.values())) - sum(amount for amount, _ in shown.values()))
        for place, amounts in places.items():
            self._buckets[place].inc(len(amounts) - (place in shown))


def _can_be_shown(request_id: str) -> bool:
    return 0 < len(request_id) <= LONGEST_EXEMPLAR and request_id.isascii() and request_id.isprintable()
