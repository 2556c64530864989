"""The cases of the fault suite, each in a process of its own, and what must hold after them."""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

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
main(*sys.argv[2:])
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


def run_case(folder: Path, case: Case) -> Report:
    """Play a case in a process of its own."""
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, "-P", "-c", LAUNCH, str(ROOT), str(folder), *case],
        capture_output=True,
        text=True,
        check=False,
        timeout=CASE_SECONDS,
        env=environment(),
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return Report(**json.loads(ended.stdout.splitlines()[-1]))


@contextmanager
def running(folder: Path, cases: Collection[Case]) -> Iterator[Reports]:
    """Play the cases, and the one without a fault, some at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reports = {
            case: pool.submit(run_case, folder / ("+".join(case) or "unfaulted"), case) for case in (UNFAULTED, *cases)
        }
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
