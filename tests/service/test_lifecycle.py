"""The parts of a gateway begin and end together, and what waits is published before the outbox stops."""

import threading
from typing import Any

import pytest

from tightrope.service.lifecycle import FIRST_WORD_SECONDS, Service

ALWAYS = ("outbox", "control", "sight", "qualification", "remote_health", "sharing_watch")
OPTIONAL = ("judge_watch", "payloads", "spans")


class Part:
    """A part that notes what is called, in the order of all parts."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls
        self.caught_up, self.has_heard_all = threading.Event(), threading.Event()

    def start(self) -> None:
        """Note the start."""
        self.calls.append(f"start {self.name}")

    def stop(self, timeout: float) -> None:
        """Note the stop and its time."""
        assert timeout == 2.0
        self.calls.append(f"stop {self.name}")

    def sample_answers(self) -> int:
        """Note that the answered requests are sampled."""
        self.calls.append("sample")
        return 0


def service(calls: list[str], *optional: str) -> Service:
    """A gateway of parts that note their calls; of the optional ones it has these."""
    names = ("app", "engine", "ledger", *ALWAYS, *optional)
    parts: dict[str, Any] = {name: Part(name, calls) for name in names}
    return Service(**parts)


@pytest.mark.parametrize("optional", [(), OPTIONAL])
def test_every_part_that_there_is_starts_once(optional: tuple[str, ...]) -> None:
    """The ledger, too."""
    calls: list[str] = []
    service(calls, *optional).start()
    assert sorted(calls) == sorted(f"start {name}" for name in (*ALWAYS, "ledger", *optional))


@pytest.mark.parametrize("optional", [(), OPTIONAL])
def test_waiting_samples_are_published_before_the_outbox_stops(optional: tuple[str, ...]) -> None:
    """Every part ends but the ledger, whose last portion has what the worker does until it stops."""
    calls: list[str] = []
    service(calls, *optional).stop(2.0)
    assert sorted(calls) == sorted(["sample", *(f"stop {name}" for name in (*ALWAYS, *optional))])
    assert calls.index("sample") < calls.index("stop outbox")
    assert all(calls.index(f"stop {name}") < calls.index("sample") for name in {*optional} - {"spans"})


def test_wait_for_modes_ends_with_the_word_of_the_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the modes as long as it may, and for a word a moment at most."""
    built = service([], "judge_watch")
    waits: list[float] = []
    for event in (built.control.caught_up, built.judge_watch.has_heard_all):  # type: ignore[union-attr]
        monkeypatch.setattr(event, "wait", waits.append)
    built.wait_for_modes(60.0)
    built.wait_for_modes(1.0)
    assert waits == [60.0, FIRST_WORD_SECONDS, 1.0, 1.0]
