"""Choose the served requests that the shadow receives by a keyed hash, so that all replicas decide alike and no caller.

How it works. Each request has one random number, its draw in [0, 1): a hash of the model, the era, the request id and
the inputs, keyed by a secret that the replicas share. A retry has the draw of the request that it repeats, other inputs
under the same id have their own, and a caller cannot compute any. An era lasts ten minutes, so that no request is left
out for longer. A request is kept when its draw is below its inclusion probability, the largest of the base rate and the
floors of its subgroups. The rows with a draw below any fixed rate r are a simple random sample of rate r, independent
of the other floors: every cell counts the rows below its own scope's rate and needs no weights.

Source: Ohlsson, "Coordination of samples using permanent random numbers", in Business Survey Methods, 1995.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import MODEL_SCOPE, Floats, Tensors

ERA_SECONDS = 600.0
"""Length of an era."""

SECRET_BYTES = 32
"""Length of the secret."""

_BITS = 53
"""The bits of precision of a float64 in [0, 1)."""

_STEPS = 1 << _BITS

MAX_UNHASHED_BYTES = 256
"""Bytes of an input up to which its digest is the content itself."""

_length = struct.Struct(">I").pack


class DrawKey:
    """The secret of the draws. Neither it nor what it is made from is ever shown.

    >>> key = DrawKey(bytes(range(32)))
    >>> key.draw("employment", 480_000 * ERA_SECONDS, "req-1", bytes.fromhex("00112233445566778899aabbccddeeff"))
    0.5813297040520969
    """

    __slots__ = ("_callers", "_draws", "_prefixes")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the secret has {len(secret)} bytes; it must have {SECRET_BYTES}")
        self._draws = blake2b(digest_size=8, key=secret, person=b"tightrope-draw")
        self._callers = blake2b(digest_size=8, key=secret, person=b"tightrope-caller")
        self._prefixes: dict[str, tuple[int, Any]] = {}

    def draw(self, model: str, time: float, request_id: str, digest: bytes) -> float:
        """Compute a request's draw; ``time`` in seconds since the epoch, ``digest`` as `input_digest` gives it."""
        return float(self.draws(model, time, [request_id], [digest])[0])

    def draws(self, model: str, time: float, request_ids: Iterable[str], digests: Iterable[bytes]) -> Floats:
        """Compute the draws of requests that were answered at one time, (n,)."""
        hashes, copy = [], self._prefix(model, int(time // ERA_SECONDS)).copy
        for request_id, digest in zip(request_ids, digests, strict=True):
            name, hashed = request_id.encode(), copy()
            hashed.update(_length(len(name)) + name + _length(len(digest)) + digest)
            hashes.append(hashed.digest())
        draws: Floats = (np.frombuffer(b"".join(hashes), ">u8") >> np.uint64(64 - _BITS)) / _STEPS
        return draws

    def caller(self, model: str, name: str) -> int:
        """Compute the digest of a caller's name, for one model; 0 for an empty name, which is no caller."""
        if not name:
            return 0
        hashed = self._callers.copy()
        for field_ in (model.encode(), name.encode()):
            hashed.update(len(field_).to_bytes(4, "big") + field_)
        return max(int.from_bytes(hashed.digest(), "big"), 1)

    def _prefix(self, model: str, era: int) -> Any:  # noqa: ANN401 - a hash object has no public type
        """The state of the hash after model and era, which many requests have in common."""
        known_era, hashed = self._prefixes.get(model, (None, None))
        if known_era != era:
            hashed = self._draws.copy()
            for field_ in (model.encode(), max(era, 0).to_bytes(8, "big")):
                hashed.update(len(field_).to_bytes(4, "big") + field_)
            self._prefixes[model] = era, hashed
        return hashed


def input_digest(inputs: Tensors) -> bytes:
    """Compute a digest of a request's decoded inputs: names, types, shapes and content. Where that is short it is taken
    as it is, because hashing it with the id takes less time than hashing it alone, too.

    >>> once, again, other = (input_digest({"x": np.array([[value]])}) for value in (1.0, 1.0, 2.0))
    >>> once == again, once == other
    (True, False)
    """
    if len(inputs) == 1:
        ((name, tensor),) = inputs.items()
        if tensor.nbytes <= MAX_UNHASHED_BYTES and not tensor.dtype.hasobject:
            return _header(name, tensor.dtype, tensor.shape) + tensor.tobytes()
    hashed = blake2b(digest_size=16)
    for name in sorted(inputs):
        tensor = inputs[name]
        hashed.update(_header(name, tensor.dtype, tensor.shape))
        if tensor.dtype.hasobject:
            _update_texts(hashed, tensor.ravel().tolist())
        else:
            hashed.update(np.ascontiguousarray(tensor).data)
    return hashed.digest()


def row_digests(name: str, rows: NDArray[Any]) -> list[bytes]:
    """Compute the `input_digest` of each row of an input, (n, …), as that of a request with this row alone: the bytes
    of short rows are cut from those of all.

    >>> rows = np.array([[1.0], [2.0]])
    >>> row_digests("x", rows) == [input_digest({"x": rows[:1]}), input_digest({"x": rows[1:]})]
    True
    """
    width = rows.nbytes // max(len(rows), 1)
    if width > MAX_UNHASHED_BYTES or rows.dtype.hasobject:
        return [input_digest({name: rows[index : index + 1]}) for index in range(len(rows))]
    header, content = _header(name, rows.dtype, (1, *rows.shape[1:])), rows.tobytes()
    return [header + content[index * width : (index + 1) * width] for index in range(len(rows))]


@lru_cache(maxsize=1024)
def _header(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return repr((name, dtype.str, shape)).encode()


def _update_texts(hashed: Any, texts: Sequence[object]) -> None:  # noqa: ANN401 - a hash object has no public type
    for text in texts:
        content = text if isinstance(text, bytes) else str(text).encode()
        hashed.update(len(content).to_bytes(4, "big") + content)


def draw(request_id: str, salt: str = "") -> float:
    """Compute a number in [0, 1) from the request id alone, to decide ties: callers can choose it.

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
