from tightrope.offline.card.blocks import printable


def test_text_of_other_people_is_one_printable_line() -> None:
    """Also where it would turn the direction of the line around."""
    assert printable("a\r\nb\tc\u202ed") == "a b\\tc\\u202ed"
    assert printable("ä \U0001f600") == "ä \U0001f600"
