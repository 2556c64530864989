"""Questions asked at the same time, each with a time limit: a broker that does not answer must not stop the others."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tightrope.service.errors import TightropeError

MAX_REASON_LENGTH = 800
"""Length to which a reason is cut: the commands that grant a permission are long."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers by the name of the question, and the reason for each that has none."""

    given: Mapping[str, object] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def ask(questions: Mapping[str, Callable[[], object]], seconds: float) -> Answers:
    """Ask all questions, each in a thread of its own that is abandoned after ``seconds``."""
    given: dict[str, object] = {}
    missing: dict[str, str] = {}

    def answer(name: str, question: Callable[[], object]) -> None:
        try:
            given[name] = question()
        except Exception as error:  # noqa: BLE001 - a failed question is an answer about the cluster
            missing[name] = _reason(error)

    deadline = time.monotonic() + seconds
    threads = {
        name: threading.Thread(target=answer, args=(name, question), name=f"doctor-{name}", daemon=True)
        for name, question in questions.items()
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = {name: f"no answer within {seconds:g} s" for name in questions if name not in {*given, *missing}}
    return Answers(dict(given), {**missing, **late})


def _reason(error: Exception) -> str:
    """The error in one line: our own errors name their cause, others need their kind."""
    text = " ".join(str(error).split())[:MAX_REASON_LENGTH]
    return text if isinstance(error, TightropeError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
