"""A class that is lost or said too often: rows until it is seen, beside windows of the class's own rows.

Tightrope's rows pass the whole judgement; its budget is that of docs/power.md, one false alarm in 2,000,000 rows.
Windows hold 50 rows of one class, for misses and for gains each.

    python -m benchmarks.class_loss   # a minute; writes its table of docs/power.md
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from benchmarks.power.method import CellSpec, Method, Rows
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.power.windows import Budgeted, Sliding, Tumbling
from benchmarks.whole_fold import held
from benchmarks.written_parts import POWER_PAGE, markdown_table, with_part
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Ints
from tightrope.monitors.safemode import Input

CLASSES, WINDOW = 20, 50
LIMIT = CATALOGUE["class_miss"].limit
ROWS, RUNS, BATCH = 40_960, 20, 1024
QUIET_ROWS, QUIET_RUNS = 204_800, 5
SOUND = 0.002
"""The rate at which the other classes are missed."""

OURS = {"Tightrope": ("class_miss", "class_gain"), "Tightrope, `disagreement` alone": ("disagreement",)}
WINDOWS: Mapping[str, Method] = {
    "window of 50, mean over the limit": Tumbling(),
    "sliding window of 50, 95 % lower bound": Sliding(),
    "window of 50 at Tightrope's budget": Budgeted("tumbling", sliding=False),
}


@dataclass(frozen=True)
class Loss:
    """A class of this ``share`` of the rows: the compressed model misses a part of them, and says it on a part of the
    others.
    """

    share: float
    missed: float
    gained: float = 0.0

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Ints, Ints]:
        """Draw the classes that both models say, (n,) each; the class is number 0."""
        baseline = np.where(rng.random(n) < self.share, 0, rng.integers(1, CLASSES, n))
        other = 1 + (baseline + rng.integers(0, CLASSES - 2, n)) % (CLASSES - 1)
        lost = rng.random(n) < np.where(baseline == 0, self.missed, SOUND)
        compressed = np.where(lost, other, baseline)
        return baseline, np.where((baseline > 0) & (rng.random(n) < self.gained), 0, compressed)


LOSSES: Mapping[str, Loss] = {
    "1.4 % of rows, never said": Loss(0.014, 1.0),
    "1.4 %, half missed": Loss(0.014, 0.5),
    "5 %, 30 % missed": Loss(0.05, 0.3),
    "1 %, as many false as true": Loss(0.01, 0.0, 0.0101),
}


def at_the_limit(rng: np.random.Generator, n: int) -> tuple[Ints, Ints]:
    """Draw rows; each class is missed, and said too often, exactly at its limit."""
    baseline, shift = rng.integers(0, CLASSES, n), rng.integers(1, CLASSES, n)
    return baseline, np.where(rng.random(n) < LIMIT, (baseline + shift) % CLASSES, baseline)


def build_plan(*monitors: str) -> Plan:
    """The plan of a model without subgroups."""
    specs = [
        MonitorSpec(CATALOGUE[name], CATALOGUE[name].variants(CLASSES), np.array([CATALOGUE[name].limit]))
        for name in monitors
    ]
    rules = build_rules(specs, 0.75)
    return Plan("m", "b", "c", (MODEL_SCOPE,), np.ones(1), rules, Budget(SAMPLES_PER_FALSE_ALARM), tick_seconds=1e9)


def fold(monitors: tuple[str, ...], baseline: Ints, compressed: Ints) -> Iterator[int]:
    """Yield the rows after which the whole judgement alarms; after each batch with an alarm it starts anew."""
    n, plan = len(baseline), build_plan(*monitors)
    rows = Comparisons.from_columns(
        n,
        model="m",
        baseline_digest="b",
        compressed_digest="c",
        log="log",
        request_id=tuple(map(str, range(n))),
        offset=np.arange(n),
        time=np.arange(n),
        draw=0.5,
        top_baseline=baseline,
        top_compressed=compressed,
        disagree=baseline != compressed,
    )
    state = held(plan, initial_state(plan))
    for begin in range(0, n, BATCH):
        state, transitions = watch.step(plan, state, rows.take(slice(begin, begin + BATCH)))
        yield from (int(str(t.evidence["samples"])) for t in transitions if t.trigger is Input.BREACH)
        state = held(plan, state)


def windowed(method: Method, baseline: Ints, compressed: Ints, classes: range) -> list[int]:
    """The rows after which a window of one of the classes alarms, for misses or for gains."""
    differs = (baseline != compressed).astype(np.float64)
    spec = CellSpec(Hypothesis.RATE, LIMIT, np.zeros(1), WINDOW)
    found: list[int] = []
    for spoken in (baseline, compressed):
        for each in classes:
            own = np.flatnonzero(spoken == each)
            alarms = method.alarms(spec, Rows(differs[own], own, len(baseline)), len(baseline))
            found += (alarms + 1).tolist()
    return sorted(found)


def delays(method: str, loss: Loss) -> list[float]:
    """The rows of each run until the class is seen; infinite where it is missed."""
    found = []
    for seed in range(RUNS):
        drawn = loss.draw(np.random.default_rng(seed), ROWS)
        alarms = fold(OURS[method], *drawn) if method in OURS else iter(windowed(WINDOWS[method], *drawn, range(1)))
        found.append(float(next(alarms, np.inf)))
    return found


def quiet_alarms(method: str) -> float:
    """False alarms in 100,000 rows, with every class at its limit. The plain monitor has another limit."""
    count = 0
    for seed in range(QUIET_RUNS):
        drawn = at_the_limit(np.random.default_rng(seed), QUIET_ROWS)
        alarms = fold(OURS[method], *drawn) if method in OURS else windowed(WINDOWS[method], *drawn, range(CLASSES))
        count += len(list(alarms))
    return count * 1e5 / (QUIET_ROWS * QUIET_RUNS)


def loss_table() -> str:
    """The table of rows to an alarm, and of false alarms."""
    lines = [["method", *LOSSES, "false alarms in 100,000 rows, every class at 10 %"]]
    for method in (*OURS, *WINDOWS):
        cells = []
        for loss in LOSSES.values():
            half, most = np.quantile(delays(method, loss), [0.5, 0.95], method="higher")
            cells.append(" / ".join("never" if np.isinf(each) else f"{each:,.0f}" for each in (half, most)))
        quiet = "-" if "disagreement" in method else f"{quiet_alarms(method):.1f}"
        lines.append([method, *cells, quiet])
    return markdown_table(lines)


def main() -> None:
    """Write the table into its place in the page, and print it."""
    written = loss_table()
    POWER_PAGE.write_text(with_part(POWER_PAGE.read_text(), "benchmarks.class_loss", written))
    Console(width=160).print(written, highlight=False)


if __name__ == "__main__":
    main()
