"""A seal is signed as a whole, by HMAC or by Ed25519, and survives its journey as JSON."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.key_files import write_key
from tightrope.service.adapters.attestation.ed25519 import load_private_key, load_public_key
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealError, SealKind, decode_seal, encode_seal

SEAL = Seal(SealKind.HEAD, 1, 7, "00" * 32, "ab" * 32, 12.5)
KEYS = AuditKeys(b"\7" * 32)
CHANGES: list[dict[str, Any]] = [
    {"kind": SealKind.GONE},
    {"first": 2},
    {"last": 8},
    {"previous": ""},
    {"link": "cd" * 32},
    {"time": 12.0},
    {"writer": "w"},
    {"signature": ""},
    {"signature": "ed25519:%%"},
]


@pytest.fixture(params=["hmac", "ed25519"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> AuditKeys:
    """Keys of both schemes."""
    if request.param == "hmac":
        return KEYS
    private, public = write_key(tmp_path, "audit", 1)
    return replace(KEYS, signer=load_private_key(private), verifier=load_public_key(public))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_signature_covers_every_field(keys: AuditKeys, change: dict[str, Any]) -> None:
    """No field can be changed."""
    signed = keys.sign(SEAL)
    assert keys.has_signed(signed)
    assert not keys.has_signed(replace(signed, **change))


def test_other_keys_have_not_signed(keys: AuditKeys) -> None:
    """HMAC is no signature where an Ed25519 key is configured, and nothing is without a key."""
    signed = keys.sign(SEAL)
    assert not AuditKeys(b"\1" * 32).has_signed(signed)
    assert not AuditKeys().has_signed(signed)
    assert not AuditKeys().has_signed(AuditKeys().sign(SEAL))
    assert keys.has_signed(KEYS.sign(SEAL)) == (keys.verifier is None)


def test_seal_is_read_as_it_was_written(keys: AuditKeys) -> None:
    """From a line of JSON."""
    signed = keys.sign(SEAL)
    assert decode_seal(json.loads(encode_seal(signed))) == signed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"last": "7"}, "last: must be a number"),
        ({"link": 7}, "link: must be text"),
        ({"kind": "other"}, "is not a valid SealKind"),
        ({"more": 1}, "is no head; it should be an object with kind, first"),
    ],
)
def test_anything_else_is_refused(change: dict[str, Any], message: str) -> None:
    """With the field."""
    with pytest.raises(SealError, match=message):
        decode_seal(json.loads(encode_seal(SEAL)) | change)


def test_digest_of_an_id_needs_the_secret() -> None:
    """Equal ids have equal digests under one secret alone."""
    assert KEYS.request_digest("r") == KEYS.request_digest("r")
    assert len({KEYS.request_digest("r"), KEYS.request_digest("s"), AuditKeys(bytes(32)).request_digest("r")}) == 3
