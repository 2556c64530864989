"""The cases of the fault suite, each in a process of its own, and what must hold after them.

A process is forked from one that has imported the program, which takes longer than all that a case computes.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import combinations
from pathlib import Path
from queue import SimpleQueue
from threading import Timer
from typing import Self, TypeAlias

from tests.support.commands import environment
from tests.support.configs import ROOT
from tests.support.faults.faults import KINDS, STOPPING
from tests.support.faults.faulty_gateway import BLIND_SECONDS, CHUNK_ROWS, Report
from tests.support.observability.firing import firing

Case: TypeAlias = tuple[str, ...]
Reports: TypeAlias = Mapping[Case, Future[Report]]

CHECK_SECONDS = 1.0
"""The most that one check of the gateway may add to `blind_seconds`, on a busy machine."""

CASE_SECONDS = 120.0
AT_ONCE = 4
"""Cases at a time: most of a case is waiting."""

LAUNCH = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.support.faults import clock
clock.install()
from tests.support.faults.faulty_gateway import main
main()
"""

UNFAULTED: Case = ()

PAIRED = (
    "judge_raises",
    "judge_hangs",
    "worker_raises",
    "state_locked",
    "archive_full",
    "clock_ahead",
    "clock_back",
    "clock_blip",
    "one_id",
    "parameter_lost",
    "student_nan",
)
"""The faults that are combined: at least one of every kind."""

SINGLES: Sequence[Case] = [(name,) for name in KINDS]
PAIRS: Sequence[Case] = [pair for pair in combinations(PAIRED, 2) if KINDS[pair[0]] != KINDS[pair[1]]]


class Player:
    """A process that plays one case after another, each in a fork."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", LAUNCH, str(ROOT)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(),
                start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._process.communicate()

    def play(self, folder: Path, case: Case) -> Report:
        """Play a case in a new folder."""
        folder.mkdir()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        hanging = Timer(CASE_SECONDS, self._end)
        hanging.start()
        try:
            print(json.dumps([str(folder), *case]), file=self._process.stdin, flush=True)
            report = self._process.stdout.readline().strip()
        finally:
            hanging.cancel()
        assert report, self._log.read_text()[-3000:]
        return Report(**json.loads(report))

    def _end(self) -> None:
        """Kill the process and its fork."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@contextmanager
def running(folder: Path, cases: Collection[Case]) -> Iterator[Reports]:
    """Play the cases, and the one without a fault, some at a time."""
    free: SimpleQueue[Player] = SimpleQueue()

    def play(case: Case) -> Report:
        player = free.get()
        try:
            return player.play(folder / ("+".join(case) or "unfaulted"), case)
        finally:
            free.put(player)

    with ExitStack() as players, ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(AT_ONCE):
            free.put(players.enter_context(Player(folder / f"player-{number}.log")))
        reports = {case: pool.submit(play, case) for case in (UNFAULTED, *cases)}
        try:
            yield reports
        finally:
            pool.shutdown(cancel_futures=True)


def shortcomings(case: Case, report: Report, unfaulted: Report) -> list[str]:
    """The promises that a case broke; none if the net held."""
    found = []
    if "baseline_nan" in case:
        pass  # no answer can be judged, and there is nothing to fall back to: only the alert is due
    elif STOPPING.intersection(case):
        if report.seconds > BLIND_SECONDS + CHECK_SECONDS:
            found.append(f"the harmful student answered for {report.seconds:.1f} s after judgement had stopped")
    elif report.harmful > 2 * unfaulted.harmful + CHUNK_ROWS:
        found.append(f"{report.harmful} harmful answers, {unfaulted.harmful} without a fault")
    if report.errors:
        found.append(f"{len(report.errors)} errors, such as {report.errors[0]}")
    if not firing(report.before, report.after):
        found.append("no alert")
    return found
