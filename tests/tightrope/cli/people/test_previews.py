"""Before an order its effect is told: what moves, until when, and who is protected."""

import pytest

from tightrope.cli.people.previews import order_outcome, order_preview

SMALL = {"answers": "small", "share": 0.06, "requests_per_second": 1.0, "state": "normal", "held": False}
FULL = SMALL | {"answers": "full", "state": "safe"}


@pytest.mark.parametrize(
    ("kind", "entry", "text"),
    [
        ("force-safe", SMALL, "This moves about 1.0/s (6.0 % of requests) from the small to the full model. It stays"),
        ("force-normal", FULL, "from the full to the small model. It stays there until somebody gives it back"),
        ("force-normal", FULL, "Harm would be seen, and nobody would be protected from it."),
        ("force-safe", FULL, "The full model answers it already, so nothing moves now."),
        ("force-safe", SMALL | {"requests_per_second": None}, "This moves 6.0 % of requests from"),
        ("force-safe", SMALL | {"requests_per_second": None, "share": None}, "This moves its requests from"),
        ("release", FULL | {"held": True}, "Tightrope decides again. It stays with the full model until"),
        ("release", SMALL | {"held": True}, "Tightrope decides again. The full model takes over once"),
        ("release", FULL, "No order holds it, so nothing changes."),
    ],
)
def test_order_is_told_before_it_is_given(kind: str, entry: dict[str, object], text: str) -> None:
    """With the requests that it moves."""
    assert text in order_preview(kind, entry)


def test_outcome_says_whether_the_judge_has_confirmed() -> None:
    """A deployment needs no confirmation."""
    assert order_outcome({"confirmed": True}) == order_outcome({}) == "Done, and on record."
    assert order_outcome({"confirmed": False}).startswith("Done on this machine.")
