"""Which served requests are kept for the shadow: by a hash of the request id, so that every replica decides alike.

Each request has one permanent random number, its draw in [0, 1). It is kept when the draw is below its inclusion
probability, the largest of the base rate and the floors of the subgroups it belongs to. Because draws are permanent,
the rows with a draw below any fixed rate r are a simple random sample of rate r, whatever else was kept: so every
cell counts the rows below its own scope's rate and needs no weights (permanent random numbers; Ohlsson, "Coordination
of samples using permanent random numbers", in Business Survey Methods, 1995).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b

from tightrope.monitors.records import MODEL_SCOPE

_BITS = 53
"""A float64 in [0, 1) holds exactly this many bits."""

_STEPS = 1 << _BITS


def draw(request_id: str, salt: str = "") -> float:
    """The request's permanent random number in [0, 1): the same on every replica, and after every restart."""
    hashed = _salted(salt).copy()
    hashed.update(request_id.encode())
    return (int.from_bytes(hashed.digest(), "big") >> (64 - _BITS)) / _STEPS


@lru_cache(maxsize=256)
def _salted(salt: str) -> "blake2b":
    """To begin with a copy is sooner done than to begin anew, and every request has its draw."""
    return blake2b(digest_size=8, salt=salt.encode()[:16])


@dataclass(frozen=True)
class Sampler:
    """Base ``rate`` in [0, 1] for everyone, and a floor in [0, 1] for the subgroups that must always be watched."""

    rate: float
    floors: Mapping[str, float] = field(default_factory=dict)
    salt: str = ""

    @cached_property
    def most(self) -> float:
        """The largest inclusion probability that a request can have."""
        return self.inclusion(self.floors)

    def inclusion(self, scopes: Iterable[str]) -> float:
        """The probability with which a request of these subgroups is kept; it is recorded with the sample."""
        return max(self.rate, *(self.floors.get(scope, 0.0) for scope in scopes), 0.0)

    def scope_rate(self, scope: str) -> float:
        """The draw below which a kept row counts for this scope's cells."""
        return self.rate if scope == MODEL_SCOPE else max(self.rate, self.floors.get(scope, 0.0))
