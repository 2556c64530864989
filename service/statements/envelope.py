"""A DSSE envelope: a payload, byte for byte, its type, and signatures over both. In a bundle each is one line of JSON.

Sources: DSSE v1.0 (`envelope.md`, `protocol.md`); in-toto Attestation Framework v1 (`bundle.md`).
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta

PAYLOAD_TYPE = "application/vnd.in-toto+json"

MAX_SIGNATURES = 64
"""Signatures of one envelope: more are no approval by people."""

MALFORMED_JSON = (msgspec.MsgspecError, ValueError, RecursionError)
"""Errors of the decoder on bytes that are not the expected JSON, or nest too deeply."""


class EnvelopeSignature(msgspec.Struct, frozen=True):
    """One signature: ``sig`` in base64. ``keyid`` is a hint of the writer; nothing is decided by it."""

    sig: Annotated[str, Meta(max_length=1024)]
    keyid: Annotated[str, Meta(max_length=1024)] = ""


class _EnvelopeLine(msgspec.Struct):
    payload: str
    payloadType: str  # noqa: N815 - as DSSE names it
    signatures: Annotated[list[EnvelopeSignature], Meta(max_length=MAX_SIGNATURES)] = msgspec.field(
        default_factory=list
    )


class Envelope(msgspec.Struct, frozen=True):
    """``payload`` is kept as it was signed; ``signatures`` may be none."""

    payload: bytes
    signatures: Sequence[EnvelopeSignature] = ()
    payload_type: str = PAYLOAD_TYPE

    @property
    def raw_signatures(self) -> list[bytes]:
        """The signatures without their base64; one whose base64 is not canonical is left out."""
        return list(_decoded(signature.sig for signature in self.signatures))


def decode_envelope(line: bytes) -> Envelope | None:
    """The envelope in a line of JSON; None for a line that holds none, or one whose base64 is not canonical."""
    try:
        read = msgspec.json.decode(line, type=_EnvelopeLine)
        return Envelope(decode_base64(read.payload), tuple(read.signatures), read.payloadType)
    except MALFORMED_JSON:
        return None


def encode_envelope(envelope: Envelope) -> bytes:
    """The line of an envelope, without a newline."""
    payload = base64.b64encode(envelope.payload).decode()
    return msgspec.json.encode(_EnvelopeLine(payload, envelope.payload_type, list(envelope.signatures)))


def decode_base64(text: str) -> bytes:
    """The bytes of base64, in the standard or the URL-safe alphabet, as DSSE allows. Every other spelling of the same
    bytes is refused, so that no character of an envelope's payload or signature may change unnoticed.

    Raises:
        ValueError: when the text is not canonical base64.
    """
    for encode, altchars in ((base64.b64encode, b"+/"), (base64.urlsafe_b64encode, b"-_")):
        try:
            content = base64.b64decode(text, altchars, validate=True)
        except ValueError:  # binascii.Error is one
            continue
        if encode(content).decode() == text:
            return content
    raise ValueError("is not canonical base64")


def _decoded(texts: Iterable[str]) -> Iterator[bytes]:
    for text in texts:
        with suppress(ValueError):
            yield decode_base64(text)
