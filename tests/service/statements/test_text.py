import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.statements.text import MAX_QUOTED, one_line, quoted, short_share, with_article


@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    """A note cannot forge a second line of output, nor steer a terminal."""
    assert one_line(text).isprintable()
    assert len(one_line(text)) <= 10 * MAX_QUOTED + 2


def test_long_text_is_cut() -> None:
    """A message stays short."""
    assert one_line("ä" * 1000) == "ä" * 200 + ".."


def test_quotation_cannot_end_early() -> None:
    """The text after the quotation is ours."""
    assert quoted('no" \nexpired') == '"no\' \\nexpired"'


def test_article_fits_the_noun() -> None:
    """Roles have any name."""
    assert (with_article("owner"), with_article("safety-reviewer")) == ("an owner", "a safety-reviewer")


@pytest.mark.parametrize(
    ("value", "text"),
    [(117 / 217, ".539"), (0.4810633, ".481"), (0.1, ".10"), (-0.25, "-.25"), (1.5, "1.50"), (1e-9, "1e-09")],
)
def test_shares_have_three_digits(value: float, text: str) -> None:
    """As people read rates: .539 over .10."""
    assert short_share(value) == text
