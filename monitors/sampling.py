"""Choose the served requests that the shadow receives by a hash of the request id, so that all replicas decide alike.

How it works. Each request has one permanent random number, its draw in [0, 1). It is kept when the draw is below its
inclusion probability, the largest of the base rate and the floors of its subgroups. Draws are permanent, so the rows
with a draw below any fixed rate r are a simple random sample of rate r, independent of the other floors: every cell
counts the rows below its own scope's rate and needs no weights.

Source: Ohlsson, "Coordination of samples using permanent random numbers", in Business Survey Methods, 1995.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b

from tightrope.monitors.records import MODEL_SCOPE

_BITS = 53
"""The bits of precision of a float64 in [0, 1)."""

_STEPS = 1 << _BITS


def draw(request_id: str, salt: str = "") -> float:
    """Compute the request's permanent random number in [0, 1): equal on every replica and after every restart.

    >>> round(draw("request-1"), 6)
    0.978538
    """
    hashed = _salted(salt).copy()
    hashed.update(request_id.encode())
    return (int.from_bytes(hashed.digest(), "big") >> (64 - _BITS)) / _STEPS


@lru_cache(maxsize=256)
def _salted(salt: str) -> "blake2b":
    """Cache the salted hash state: copying it is faster than creating one for every request."""
    return blake2b(digest_size=8, salt=salt.encode()[:16])


@dataclass(frozen=True)
class Sampler:
    """A base ``rate`` in [0, 1] for all requests, and floors in [0, 1] for subgroups that need more rows.

    >>> Sampler(0.1, {"sex=f": 0.5}).inclusion(["sex=f", "age=old"])
    0.5
    """

    rate: float
    floors: Mapping[str, float] = field(default_factory=dict)
    salt: str = ""

    @cached_property
    def max_inclusion(self) -> float:
        """The largest inclusion probability of any request."""
        return self.inclusion(self.floors)

    def inclusion(self, scopes: Iterable[str]) -> float:
        """Compute the probability that a request of these subgroups is kept; samples record it."""
        return max(self.rate, *(self.floors.get(scope, 0.0) for scope in scopes), 0.0)

    def scope_rate(self, scope: str) -> float:
        """Return the rate of a scope: its cells count the kept rows with a draw below it."""
        return self.rate if scope == MODEL_SCOPE else max(self.rate, self.floors.get(scope, 0.0))
