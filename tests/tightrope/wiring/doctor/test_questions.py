"""Each question has a time limit, and a failed one has its reason."""

import threading
import time

from tightrope.service.errors import TightropeError
from tightrope.wiring.doctor.questions import ask


def test_answers_come_with_the_reasons_of_those_that_miss() -> None:
    """Our own errors speak for themselves; others need their kind."""

    def refuse() -> None:
        raise TightropeError("the brokers refuse")

    def fail() -> None:
        raise KeyError("x")

    answers = ask({"one": lambda: 1, "refused": refuse, "failed": fail}, 5.0)
    assert answers.given == {"one": 1}
    assert answers.missing == {"refused": "the brokers refuse", "failed": "KeyError: 'x'"}


def test_question_that_hangs_ends_with_its_time() -> None:
    """The others are answered, and the whole takes no longer."""
    forever = threading.Event()
    began = time.monotonic()
    answers = ask({"slow": forever.wait, "quick": lambda: "yes"}, 0.2)
    assert time.monotonic() - began < 2.0
    assert answers.given == {"quick": "yes"}
    assert answers.missing == {"slow": "no answer within 0.2 s"}
    forever.set()
