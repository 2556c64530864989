"""Signatures: their framing, which secrets are valid, and the result for each kind of record."""

import hmac
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tightrope.service.adapters.kafka.signature import (
    OLD_RECORD_SECONDS,
    SIGNATURE_DOMAIN,
    SIGNATURE_HEADER,
    SignatureCheck,
    Signing,
    signed_parts,
)

TOPIC, KEY, VALUE = "eu-tightrope.control", b"m", b"a route"
NOW = 1_000_000.0
SECRET, OTHER = b"s" * 32, b"t" * 32

SHORT = st.binary(max_size=12)
MAYBE = st.none() | SHORT
PARTS = st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), MAYBE, MAYBE)

Headers = list[tuple[str, bytes | None]]


def signed_text(topic_name: str, key: bytes | None, value: bytes | None) -> bytes:
    """All bytes that a signature covers."""
    return b"".join(signed_parts(topic_name, key, value))


def signing(secret: bytes = SECRET, previous: bytes | None = None, *, accept: bool = False) -> Signing:
    """Signing at a fixed time."""
    return Signing(secret, previous, accept, clock=lambda: NOW)


def headers(by: Signing | None = None) -> Headers:
    """The headers of the genuine record."""
    return [*(by or signing()).headers(TOPIC, KEY, VALUE)]


@given(PARTS, PARTS)
@example(("ab", b"c", b"d"), ("a", b"bc", b"d"))
@example(("a", b"bc", b"d"), ("a", b"b", b"cd"))
@example(("a", None, b""), ("a", b"", b""))
@example(("a", b"\xff" * 8, b""), ("a", None, b"\xff" * 8))
def test_different_records_have_different_signed_texts(
    one: tuple[str, bytes | None, bytes | None], two: tuple[str, bytes | None, bytes | None]
) -> None:
    """No byte can move between topic, key and value, and an absent part differs from an empty one."""
    assert (signed_text(*one) == signed_text(*two)) == (one == two)


@given(PARTS, st.binary(min_size=1, max_size=3))
def test_no_signed_text_begins_another(one: tuple[str, bytes | None, bytes | None], tail: bytes) -> None:
    """The last part has its length too: bytes appended to a record change more than the end of the text."""
    topic_name, key, value = one
    longer = signed_text(topic_name, key, (value or b"") + tail)
    assert not longer.startswith(signed_text(*one))
    assert longer.startswith(SIGNATURE_DOMAIN)


def test_signature_is_the_hmac_of_the_signed_text() -> None:
    """Another program can make and check it."""
    ((name, signature),) = headers()
    assert name == SIGNATURE_HEADER
    assert signature == hmac.new(SECRET, signed_text(TOPIC, KEY, VALUE), "sha256").digest()


@pytest.mark.parametrize(
    ("topic_name", "key", "value"),
    [
        ("us-tightrope.control", KEY, VALUE),
        ("eu-tightrope.snapshots", KEY, VALUE),
        (TOPIC, b"n", VALUE),
        (TOPIC, None, VALUE),
        (TOPIC, KEY, b"another route"),
        (TOPIC, KEY, None),
    ],
)
def test_signature_of_another_record_is_forged(topic_name: str, key: bytes | None, value: bytes | None) -> None:
    """Another cluster's topic, another topic, key or value."""
    assert signing().check(TOPIC, KEY, VALUE, headers(), NOW) is SignatureCheck.GENUINE
    assert signing().check(topic_name, key, value, headers(), NOW) is SignatureCheck.FORGED


@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize(
    "found",
    [
        headers(signing(OTHER)),
        [(SIGNATURE_HEADER, None)],
        [(SIGNATURE_HEADER, b"")],
        [(SIGNATURE_HEADER, bytes(32))],
        [(SIGNATURE_HEADER, b"\xff" * 99)],
        headers() * 2,
        [*headers(), (SIGNATURE_HEADER, bytes(32))],
    ],
    ids=["another secret", "null", "empty", "zeros", "long", "twice", "a second one"],
)
def test_wrong_signature_is_forged(found: Headers, *, accept: bool) -> None:
    """Also while unsigned records are accepted: a process that does not sign makes no wrong signature."""
    assert signing(accept=accept).check(TOPIC, KEY, VALUE, found, NOW) is SignatureCheck.FORGED


def test_record_without_a_signature_is_unsigned_or_accepted() -> None:
    """Headers of other programs are no signatures."""
    for found in ([], [("traceparent", headers()[0][1])]):
        assert signing().check(TOPIC, KEY, VALUE, found, NOW) is SignatureCheck.UNSIGNED
        assert signing(accept=True).check(TOPIC, KEY, VALUE, found, NOW) is SignatureCheck.ACCEPTED


def test_refused_record_is_old_after_a_day() -> None:
    """A compacted topic keeps records from before the secret; a genuine one never gets old."""
    before = NOW - OLD_RECORD_SECONDS - 1
    for found in ([], headers(signing(OTHER))):
        assert signing().check(TOPIC, KEY, VALUE, found, before) is SignatureCheck.OLD
        assert signing().check(TOPIC, KEY, VALUE, found, before + 2) is not SignatureCheck.OLD
    assert signing().check(TOPIC, KEY, VALUE, headers(), before) is SignatureCheck.GENUINE


def test_secret_is_replaced_without_a_refusal() -> None:
    """The new secret is known, then it signs, then it is alone; processes of two steps run side by side."""
    steps = [signing(), signing(SECRET, OTHER), signing(OTHER, SECRET), signing(OTHER)]
    for one, two in pairwise(steps):
        for writer, reader in ((one, two), (two, one)):
            assert reader.check(TOPIC, KEY, VALUE, headers(writer), NOW) is SignatureCheck.GENUINE
    assert steps[3].check(TOPIC, KEY, VALUE, headers(steps[0]), NOW) is SignatureCheck.FORGED


def test_secrets_are_not_shown() -> None:
    """Options are logged and shown in tracebacks; secrets are not in them."""
    assert "sss" not in repr(signing())
    assert "ttt" not in repr(signing(SECRET, OTHER))
