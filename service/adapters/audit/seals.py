"""Signed statements about a part of the chain of events, and the keys that sign them.

How it works. Each event has a link, a SHA-256 digest over the link before it and the event. A seal says what the link
at some number is: the `head` at the newest event, `gone` in the place of events that retention deleted. `found` says
that events were chained later than they were written, and `break` that the newest event was not the one of the head
when the program looked.

A seal is signed by an Ed25519 key if there is one, else by HMAC-SHA256 with the secret of the state folder.
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Protocol

SEAL_TYPE = "application/vnd.tightrope.audit-seal+json"
SEAL_DOMAIN = b"tightrope:audit-seal:1\0"
DIGEST_DOMAIN = b"tightrope:request-id:1\0"
"""First bytes under the secret, so that a digest of a request id never passes for a signature."""

REQUEST_DIGEST_BYTES = 16
AUDIT_SECRET_BYTES = 32

HMAC_SCHEME, ED25519_SCHEME = "hmac-sha256", "ed25519"
"""The first part of a signature, before a colon."""


class SealKind(StrEnum):
    """The statement of a seal, as explained above."""

    HEAD = "head"
    GONE = "gone"
    FOUND = "found"
    BREAK = "break"


class SealError(ValueError):
    """A file or record holds no seal."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A statement about the events ``first`` to ``last`` of a ``writer``: ``previous`` is the link before the first,
    ``link`` that of the last, both hexadecimal; ``time`` is when it was signed, in seconds since the epoch.
    """

    kind: SealKind
    first: int
    last: int
    previous: str
    link: str
    time: float
    writer: str = ""
    signature: str = ""

    @property
    def payload(self) -> bytes:
        """The bytes that are signed."""
        signed = asdict(self) | {"kind": str(self.kind)}
        del signed["signature"]
        return json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()


def encode_seal(seal: Seal) -> str:
    """A seal as a line of JSON."""
    return json.dumps(asdict(seal) | {"kind": str(seal.kind)}, sort_keys=True)


def decode_seal(document: object) -> Seal:
    """The seal in a decoded JSON object.

    Raises:
        SealError: when it holds no seal.
    """
    names = {each.name: each.type for each in fields(Seal)}
    if not isinstance(document, Mapping) or document.keys() != names.keys():
        raise SealError(f"is no head; it should be an object with {', '.join(names)}")
    types: dict[str, tuple[type, ...]] = {"first": (int,), "last": (int,), "time": (int, float)}
    for name, value in document.items():
        if type(value) not in types.get(name, (str,)):
            raise SealError(f"{name}: must be {'a number' if name in types else 'text'}")
    try:
        return Seal(**{**document, "kind": SealKind(document["kind"])})
    except ValueError as error:
        raise SealError(str(error)) from error


class SealSigner(Protocol):
    """An Ed25519 key pair."""

    def sign(self, payload: bytes, payload_type: str) -> str:
        """The signature over a payload and its type, in base64."""


class SealVerifier(Protocol):
    """An Ed25519 public key."""

    def has_signed(self, envelope: Any) -> bool:  # noqa: ANN401 - a structure of the attestation room
        """Whether a signature of the envelope is by this key."""


@dataclass(frozen=True, slots=True)
class SealEnvelope:
    """A seal as the attestation room reads it."""

    payload: bytes
    payload_type: str
    raw_signatures: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The secret of a writer, and its Ed25519 key if one is configured. Without a secret only Ed25519 signatures are
    checked.

    >>> keys = AuditKeys(bytes(32))
    >>> keys.request_digest("r-7") == keys.request_digest("r-7"), len(keys.request_digest("r-7"))
    (True, 32)
    """

    secret: bytes = field(default=b"", repr=False)
    signer: SealSigner | None = field(default=None, repr=False)
    verifier: SealVerifier | None = field(default=None, repr=False)

    def request_digest(self, request_id: str) -> str:
        """The keyed digest that stands for a request id, hexadecimal."""
        return hmac.digest(self.secret, DIGEST_DOMAIN + request_id.encode(), "sha256")[:REQUEST_DIGEST_BYTES].hex()

    def sign(self, seal: Seal) -> Seal:
        """The seal with its signature."""
        if self.signer is not None:
            return replace(seal, signature=f"{ED25519_SCHEME}:{self.signer.sign(seal.payload, SEAL_TYPE)}")
        return replace(seal, signature=f"{HMAC_SCHEME}:{self._mac(seal)}")

    def has_signed(self, seal: Seal) -> bool:
        """Whether the signature is by the configured key: Ed25519 where one is, else HMAC. Never raises."""
        if self.verifier is not None:
            return self._has_signed_asymmetrically(seal, self.verifier)
        return self.has_authenticated(seal)

    def has_authenticated(self, seal: Seal) -> bool:
        """Whether the signature is by HMAC with this secret."""
        wanted = f"{HMAC_SCHEME}:{self._mac(seal)}".encode()
        return bool(self.secret) and hmac.compare_digest(seal.signature.encode(errors="replace"), wanted)

    def _mac(self, seal: Seal) -> str:
        return hmac.digest(self.secret, SEAL_DOMAIN + seal.payload, "sha256").hex()

    def _has_signed_asymmetrically(self, seal: Seal, verifier: SealVerifier) -> bool:
        scheme, _, text = seal.signature.partition(":")
        try:
            signature = base64.b64decode(text, validate=True)
        except ValueError:
            return False
        return scheme == ED25519_SCHEME and verifier.has_signed(SealEnvelope(seal.payload, SEAL_TYPE, [signature]))
