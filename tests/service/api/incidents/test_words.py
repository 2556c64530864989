import pytest

from tightrope.monitors.boundaries.asked_classes import NARROWED_NOTE
from tightrope.service.adapters.journal.incident import Incident, Move
from tightrope.service.api.incidents.words import move_sentence, scope_words, utc_time


@pytest.mark.parametrize(
    ("move", "advisory", "sentence"),
    [
        (
            Move(1.0, "sex=f", "breach", "safe", "judge", "disagreement 22 in 100"),
            False,
            "The full model took over for f (sex): disagreement 22 in 100.",
        ),
        (
            Move(1.0, "sex=f", "breach", "safe", "judge", "disagreement 22 in 100"),
            True,
            "Harm for f (sex), and the fallback only advises: disagreement 22 in 100.",
        ),
        (
            Move(1.0, "model", "breach", "safe", "judge", "class_gain 50 in 100" + NARROWED_NOTE.format("3, 5")),
            False,
            "The full model is asked again where the small one says “3” or “5”: class_gain 50 in 100"
            + NARROWED_NOTE.format("3, 5")
            + ".",
        ),
        (
            Move(1.0, "model", "recovered", "normal", "judge", "disagreement 1 in 100"),
            False,
            "The small model answers everybody again: it has proved itself.",
        ),
        (
            Move(1.0, "model", "recovered", "normal", "judge", "no monitor speaks against it"),
            False,
            "The small model answers everybody again: answers are compared again.",
        ),
        (
            Move(1.0, "model", "force-safe", "safe", "Ben", "incident 7"),
            False,
            "Ben had the full model answer everybody: incident 7",
        ),
    ],
)
def test_moves_are_sentences(move: Move, *, advisory: bool, sentence: str) -> None:
    """They say who answers whom, and why."""
    assert move_sentence("m", move, advisory=advisory) == sentence


def test_scopes_and_times_are_words() -> None:
    """Without a known scope the whole model is named; no time is no text."""
    moves = tuple(Move(1.0, scope, "breach", "safe", "judge", "") for scope in ("sex=f", "sex=m"))
    assert scope_words(Incident("i", "m", 0.0, 1, moves=moves)) == "f (sex) and m (sex)"
    assert (scope_words(Incident("i", "m", 0.0, 1)), utc_time(None)) == ("everybody", "")
