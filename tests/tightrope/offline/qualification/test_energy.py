"""A host of made-up power: idle it takes 10 W, a run of the baseline 2 J and one of the compressed model 0.5 J more."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from tightrope.monitors.records import Role, Tensors
from tightrope.offline.qualification.energy import ROUND_SECONDS, ROUNDS, HostClock, joules_per_row

IDLE_WATTS = 10.0
RUN_SECONDS = 0.01
ROWS: list[Tensors] = [{"input": np.zeros((1, 2), np.float32)}]


@dataclass
class Host:
    """Its clock and its meter, which ``falls_silent`` after a number of readings."""

    seconds: float = 0.0
    taken: float = 0.0
    readings: int = 0
    falls_silent: int = 1000

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self.taken += IDLE_WATTS * seconds

    def joules(self) -> float | None:
        """The joules taken so far."""
        self.readings += 1
        return self.taken if self.readings <= self.falls_silent else None


@dataclass
class Consumer:
    """A model whose runs take energy."""

    host: Host
    joules: float
    runs: int = field(default=0)

    def run(self, *_: object) -> dict[str, object]:
        """Take the time and the energy of a run."""
        self.runs += 1
        self.host.pass_time(RUN_SECONDS)
        self.host.taken += self.joules
        return {}


def measured(host: Host, *, baseline: float = 2.0, compressed: float = 0.5) -> dict[str, float | None]:
    """Measure two models of these joules a run."""
    models = {Role.BASELINE: Consumer(host, baseline), Role.COMPRESSED: Consumer(host, compressed)}
    clock = HostClock(lambda: host.seconds, host.pass_time)
    return joules_per_row(host, models, ROWS, ["output"], clock)  # type: ignore[arg-type]


def test_idle_power_is_subtracted() -> None:
    """The rest is the energy of the runs."""
    host = Host()
    assert measured(host) == {"baseline": pytest.approx(2.0), "compressed": pytest.approx(0.5)}
    assert host.seconds == pytest.approx(3 * ROUNDS * ROUND_SECONDS, rel=0.1)


def test_nothing_beyond_idle_is_unknown() -> None:
    """A model cannot take less than nothing; a ratio with it would mean nothing."""
    assert measured(Host(), compressed=-0.01) == {"baseline": pytest.approx(2.0), "compressed": None}


def test_meter_that_falls_silent_tells_nothing() -> None:
    """The parts that it has told are no figure."""
    assert measured(Host(falls_silent=7)) == {"baseline": None, "compressed": None}


def test_host_without_a_meter_tells_nothing() -> None:
    """And no time is spent."""
    assert joules_per_row(None, {}, ROWS, ["output"], HostClock(pytest.fail, pytest.fail)) == {}
