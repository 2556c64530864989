"""Signatures of records: HMAC-SHA256 with a secret that all processes of a cluster share.

Records of `SIGNED_TOPICS` move modes or evidence, so a program that may write these topics could switch the guard off;
those of the incidents topic are the account of what was done.
The signature is a header of the record. It covers the full name of the topic, the key and the value: a signed record is
not valid in another topic, in a cluster with another prefix, or under another key. It does not cover the offset: a copy
of a record is valid in its own topic, and its readers ignore it, because it repeats rows, an order, an epoch or a
heartbeat.

Labels may come from programs that have no secret, so records of `VOUCHED_TOPICS` are read without a signature, too: it
takes one for a label to hold a fallback back. Samples and payload events are not signed: gateways and the servers of
models write them, and workers compare them anew. The audit trail moves nothing.
"""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tightrope.service.adapters.topics import COMPARISONS, CONTROL, INCIDENTS, LABELS, SNAPSHOTS, topic

SIGNATURE_HEADER = "tightrope-signature"

SIGNED_TOPICS = frozenset(map(topic, (CONTROL, COMPARISONS, SNAPSHOTS, INCIDENTS)))
VOUCHED_TOPICS = frozenset({topic(LABELS)})

SIGNATURE_DOMAIN = b"tightrope:record:1\0"
"""First bytes that each signature covers: the secret signs nothing else that begins so."""

LENGTH_BYTES = 8

ABSENT = b"\xff" * LENGTH_BYTES
"""Stands for the length of a part that is absent; no part is that long."""

OLD_RECORD_SECONDS = 86_400.0
"""Age from which a refused record is counted as old: compacted topics keep records from before the secret for ever."""


class SignatureCheck(StrEnum):
    """The result of the check of one record. All but the first two refuse it."""

    GENUINE = "genuine"
    ACCEPTED = "accepted"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    OLD = "old"


def signed_parts(topic_name: str, key: bytes | None, value: bytes | None) -> tuple[bytes, bytes]:
    """The bytes that a signature covers, in two pieces, so that a large value is not copied. Topic, key and value each
    follow their length, so no two records have equal bytes.
    """
    name = topic_name.encode()
    pieces = [SIGNATURE_DOMAIN, _length(name), name, _length(key), key or b"", _length(value)]
    return b"".join(pieces), value or b""


def _length(part: bytes | None) -> bytes:
    return ABSENT if part is None else len(part).to_bytes(LENGTH_BYTES, "big")


def _digest(secret: bytes, parts: tuple[bytes, bytes]) -> bytes:
    mac = hmac.new(secret, parts[0], "sha256")
    mac.update(parts[1])
    return mac.digest()


@dataclass(frozen=True, slots=True)
class Signing:
    """The secrets of a cluster: ``secret`` signs; signatures with ``previous`` are valid, too, while the secret is
    replaced. ``accept_unsigned`` is for the time in which some processes do not sign yet.
    """

    secret: bytes = field(repr=False)
    previous: bytes | None = field(default=None, repr=False)
    accept_unsigned: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def headers(self, topic_name: str, key: bytes | None, value: bytes | None) -> list[tuple[str, bytes]]:
        """The headers that sign a record."""
        return [(SIGNATURE_HEADER, _digest(self.secret, signed_parts(topic_name, key, value)))]

    def check(
        self,
        topic_name: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        published: float,
    ) -> SignatureCheck:
        """The result for a record that was ``published`` then, in seconds since the epoch."""
        found = [signature for name, signature in headers if name == SIGNATURE_HEADER]
        if not found and self.accept_unsigned:
            return SignatureCheck.ACCEPTED
        if len(found) == 1 and found[0] is not None and self._is_valid(found[0], signed_parts(topic_name, key, value)):
            return SignatureCheck.GENUINE
        if published < self.clock() - OLD_RECORD_SECONDS:
            return SignatureCheck.OLD
        return SignatureCheck.FORGED if found else SignatureCheck.UNSIGNED

    def _is_valid(self, signature: bytes, parts: tuple[bytes, bytes]) -> bool:
        """Whether one of the secrets made the signature; compared in constant time."""
        secrets = (self.secret,) if self.previous is None else (self.secret, self.previous)
        return any(hmac.compare_digest(signature, _digest(secret, parts)) for secret in secrets)
