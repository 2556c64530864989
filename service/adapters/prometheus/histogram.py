"""A prometheus_client histogram with bulk observations: one at a time takes longer than a small model."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from prometheus_client import Histogram

MAX_EXEMPLAR_CHARS = 100
"""Characters of a request id in an exemplar: the format's limit is 128, including the label's name."""

EXEMPLAR_ID = re.compile(rf"[A-Za-z0-9!$%&()*+,\-./:;<=>?@\[\]^_`|~]{{1,{MAX_EXEMPLAR_CHARS}}}")
"""Ids that an exemplar may have. Quotes, backslashes, braces, # and spaces have an escape or a meaning in the format,
which some readers get wrong: a caller's id must not break the scrape of all others.
"""


class ManyHistogram(Histogram):
    """A histogram that takes many observations at once."""

    def observe_many(self, observations: Iterable[tuple[float, str]]) -> None:
        """Equals `observe` for each (amount, request id); the id may be empty. A bucket's exemplar is its latest
        observation with a valid id.

        The buckets are filled through prometheus_client's private `_upper_bounds`, `_buckets` and `_sum`.
        """
        observed = list(observations)
        amounts = [amount for amount, _ in observed]
        buckets = np.searchsorted(self._upper_bounds, amounts)
        counts = np.bincount(buckets, minlength=len(self._buckets)).tolist()
        total = math.fsum(amounts)
        for bucket, (amount, request_id) in _exemplars(buckets.tolist(), observed).items():
            self.observe(amount, {"request_id": request_id})
            counts[bucket] -= 1
            total -= amount
        self._sum.inc(total)
        for bucket, count in enumerate(counts):
            if count:
                self._buckets[bucket].inc(count)


def _exemplars(buckets: Sequence[int], observed: Sequence[tuple[float, str]]) -> Mapping[int, tuple[float, str]]:
    """The latest observation with a valid id in each bucket."""
    exemplars: dict[int, tuple[float, str]] = {}
    missing = set(buckets)
    for bucket, observation in zip(reversed(buckets), reversed(observed), strict=True):
        if bucket in missing and _fits_exemplar(observation[1]):
            exemplars[bucket] = observation
            missing.remove(bucket)
            if not missing:
                break
    return exemplars


def _fits_exemplar(request_id: str) -> bool:
    return EXEMPLAR_ID.fullmatch(request_id) is not None
