import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.statements.envelope import (
    Envelope,
    EnvelopeSignature,
    decode_base64,
    decode_envelope,
    encode_envelope,
)


@given(st.binary(), st.lists(st.binary(max_size=100).map(lambda sig: base64.b64encode(sig).decode()), max_size=3))
def test_envelope_is_read_as_it_was_written(payload: bytes, signatures: list[str]) -> None:
    """Payload, type and signatures survive the line."""
    envelope = Envelope(payload, tuple(EnvelopeSignature(sig, "key") for sig in signatures))
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(st.binary())
def test_any_bytes_are_read_without_an_error(line: bytes) -> None:
    """A line of a bundle may be anything."""
    assert decode_envelope(line) is None or isinstance(decode_envelope(line), Envelope)


def test_nested_line_is_no_envelope() -> None:
    """The decoder's limit of depth is no traceback."""
    assert decode_envelope(b'{"payload":' + b"[" * 100_000) is None


def test_unknown_fields_of_an_envelope_are_ignored() -> None:
    """DSSE allows them; nothing in them is signed."""
    line = b'{"payload":"e30=","payloadType":"t","signatures":[{"sig":"","cert":"x"}],"more":1}'
    assert decode_envelope(line) == Envelope(b"{}", (EnvelopeSignature(""),), "t")


@given(st.binary())
def test_both_alphabets_are_read(content: bytes) -> None:
    """DSSE asks readers to accept both."""
    assert decode_base64(base64.b64encode(content).decode()) == content
    assert decode_base64(base64.urlsafe_b64encode(content).decode()) == content


@pytest.mark.parametrize("text", ["e31=", "e30", "e30=\n", " e30=", "e3 0=", "+-==", "e30==", "é30="])
def test_other_spellings_of_the_same_bytes_are_refused(text: str) -> None:
    """Each decodes to bytes in a lenient reader; here a changed character never goes unnoticed."""
    with pytest.raises(ValueError, match="base64"):
        decode_base64(text)
