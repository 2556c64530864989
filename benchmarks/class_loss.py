"""A class that is lost or said too often: rows until it is seen, beside windows of the class's own rows.

Tightrope's rows pass the whole judgement; its budget is that of docs/power.md, one false alarm in 2,000,000 rows.
Windows hold 50 rows of one class, for misses and for gains each.

    python -m benchmarks.situations class-loss   # writes its table of docs/power.md, with further methods
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.power.method import CellSpec, Method, Rows
from benchmarks.power.ours import SAMPLES_PER_FALSE_ALARM
from benchmarks.power.windows import Budgeted, Sliding, Tumbling
from benchmarks.situations.lines import PROMISED, Size, delays_text, is_budgeted, promise_text, rate_text
from benchmarks.whole_fold import held
from benchmarks.written_parts import markdown_table
from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Ints
from tightrope.monitors.safemode import Input

CLASSES, WINDOW = 20, 50
LIMIT = CATALOGUE["class_miss"].limit
BATCH, HEALTHY_ROWS = 1024, 1_000
SIZES = (Size(5, 204_800, 20, 40_960), Size(1, 8_192, 1, 8_192))
"""The sizes of a full measurement and of a quick one."""

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
    healthy = (np.random.default_rng(1).random(HEALTHY_ROWS) < SOUND).astype(np.float64)
    spec = CellSpec(Hypothesis.RATE, LIMIT, healthy, WINDOW)
    found: list[int] = []
    for spoken in (baseline, compressed):
        for each in classes:
            own = np.flatnonzero(spoken == each)
            alarms = method.alarms(spec, Rows(differs[own], own, len(baseline)), len(baseline))
            found += (alarms + 1).tolist()
    return sorted(found)


def delays(method: Method | tuple[str, ...], loss: Loss, size: Size) -> list[float]:
    """The rows of each run until a method, or Tightrope with these monitors, sees the class; infinite where it does
    not.
    """
    found = []
    for seed in range(size.runs):
        drawn = loss.draw(np.random.default_rng(seed), size.rows)
        alarms = fold(method, *drawn) if isinstance(method, tuple) else iter(windowed(method, *drawn, range(1)))
        found.append(float(next(alarms, np.inf)))
    return found


def quiet_alarms(method: Method | tuple[str, ...], size: Size) -> int:
    """False alarms with every class at its limit. The plain monitor has another limit."""
    count = 0
    for seed in range(size.quiet_runs):
        drawn = at_the_limit(np.random.default_rng(seed), size.quiet_rows)
        alarms = fold(method, *drawn) if isinstance(method, tuple) else windowed(method, *drawn, range(CLASSES))
        count += len(list(alarms))
    return count


def loss_table(others: Mapping[str, Method], size: Size) -> str:
    """The table of rows to an alarm, and of false alarms, beside the promise; ``others`` are further methods."""
    lines = [["method", "promised, at most", *LOSSES, "every class at 10 %: false alarms"]]
    methods: dict[str, Method | tuple[str, ...]] = {**OURS, **WINDOWS, **others}
    for name, method in methods.items():
        cells = [delays_text(delays(method, loss, size)) for loss in LOSSES.values()]
        plain = "disagreement" in name
        quiet = "-" if plain else rate_text(quiet_alarms(method, size), size.quiet_runs * size.quiet_rows)
        # Each row is one of a class for misses, and one for gains.
        promised = PROMISED if isinstance(method, tuple) else 2 * PROMISED if is_budgeted(name) else None
        lines.append([name, promise_text(promised), *cells, quiet])
    return markdown_table(lines)
