"""The fields of a protobuf message, with their places."""

import pytest

from tightrope.service.adapters.protobuf_fields import read_fields


def test_fields_have_number_and_place() -> None:
    """An integer has its value; fixed numbers are passed over."""
    content = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x1d1234" + b"\x21" + b"12345678" + b"\x28\x00"
    assert list(read_fields(content, 0, len(content))) == [(1, 150, -1), (2, 5, 8), (5, 0, -1)]


@pytest.mark.parametrize(
    "content", [b"\x00", b"\x0f", b"\x12\x05abc", b"\x08" + b"\xff" * 11, b"\x1d12"],
    ids=["no number", "no type", "too long", "endless integer", "cut"],
)  # fmt: skip
def test_what_is_no_message_is_an_error(content: bytes) -> None:
    """It names the byte."""
    with pytest.raises(ValueError, match="at byte"):
        list(read_fields(content, 0, len(content)))
