"""Build comparisons and plans for tests of the judgement, and run them through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import Need, Reach
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import ADDED_ARRAYS, MODEL_SCOPE, ROW_ARRAYS, Comparisons, Stream
from tightrope.monitors.safemode import Policy
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.verdict import Verdict

SCOPES = ("group=a", "group=b", "half=left")
_UNKNOWN_COLUMNS = ("self_disagree", "correct_baseline", "correct_compressed")

CLASS_MONITORS = {name: monitor for name, monitor in CATALOGUE.items() if Need.VALUE not in monitor.needs}
"""The monitors of a model that decides between classes."""


def make_comparisons(n: int, *, scopes: tuple[str, ...] = SCOPES, log: str = "log-1", **columns: Any) -> Comparisons:  # noqa: ANN401 - any column
    """Build sound rows, one per second, on which the models agree, in no subgroup; ``columns`` replace the defaults."""
    defaults = {name: 0 for name in ROW_ARRAYS if name not in ADDED_ARRAYS} | dict.fromkeys(_UNKNOWN_COLUMNS, np.nan)
    given: dict[str, Any] = defaults | {"time": np.arange(n), "offset": np.arange(n), "inclusion": 1.0} | columns
    given["member"] = np.broadcast_to(np.asarray(given["member"], dtype=bool), (n, len(scopes))).copy()
    ids = (np.broadcast_to(np.asarray(given[name], dtype=np.int64), n) for name in ("partition", "offset"))
    return Comparisons.from_columns(
        n,
        model="m",
        baseline_digest="b1",
        compressed_digest="c1",
        log=log,
        scopes=scopes,
        request_id=tuple(f"{partition}-{offset}" for partition, offset in zip(*ids, strict=True)),
        **given,
    )


@dataclass
class RowSource:
    """A source of consecutive batches: offsets and event times continue where the previous batch ended."""

    seconds: float = 1.0
    offset: int = 0
    time: float = 0.0

    def rows(self, n: int, **columns: ArrayLike) -> Comparisons:
        """Return the next n rows, ``seconds`` apart."""
        position: dict[str, ArrayLike] = {
            "offset": self.offset + np.arange(n),
            "time": self.time + self.seconds * np.arange(n),
        }
        self.offset += n
        self.time += self.seconds * n
        return make_comparisons(n, **(position | columns))


def monitor_specs(
    *monitors: str, scopes: tuple[str, ...] = SCOPES, lanes: int = 1, classes: int = 2
) -> list[MonitorSpec]:
    """Build specs of these monitors (or all) with the catalogue's limits, and twice them for subgroups."""
    definitions = [CATALOGUE[name] for name in monitors or CLASS_MONITORS]
    limits = [np.array([each.limit, *[2 * each.limit] * len(scopes)]) for each in definitions]
    return [
        MonitorSpec(each, each.variants(classes), limit, lanes=lanes, subgroup_limit=2 * each.limit)
        for each, limit in zip(definitions, limits, strict=True)
    ]


def make_plan(
    *monitors: str,
    scopes: tuple[str, ...] = SCOPES,
    samples: float = 3.15e8,
    policy: Policy | None = None,
    lanes: int = 1,
    classes: int = 2,
    **changes: Any,  # noqa: ANN401 - any field of a plan
) -> Plan:
    """Build a plan of these monitors (or all), with specs as `monitor_specs` builds them. Every request is a step of
    evidence: rows that follow a pattern depend on each other, and would widen the unit.
    """
    policy = policy or Policy()
    specs = monitor_specs(*monitors, scopes=scopes, lanes=lanes, classes=classes)
    plan = Plan(
        model="m",
        baseline_digest="b1",
        compressed_digest="c1",
        scopes=(MODEL_SCOPE, *scopes),
        rates=np.ones(1 + len(scopes)),
        rules=build_rules(specs, policy.recovery_ratio),
        budget=Budget(samples),
        policy=policy,
        tick_seconds=1e9,
        unit=EvidenceUnit(Independence.REQUEST),
        digest="d1",
        specs=tuple(specs),
    )
    return replace(plan, **changes)


def watched_cells(monitors: Sequence[str], subgroups: Sequence[str] = SCOPES) -> set[tuple[str, str]]:
    """The pairs of scope and monitor that these monitors watch."""
    return {
        (scope, name)
        for name in monitors
        for scope in (MODEL_SCOPE, *subgroups)
        if CATALOGUE[name].reach is not (Reach.SUBGROUPS if scope == MODEL_SCOPE else Reach.MODEL)
    }


def verdicts_by_cell(plan: Plan, state: State) -> dict[tuple[str, str], Verdict]:
    """Verdicts by scope and monitor, without the one about sight."""
    return {(v.scope, v.monitor): v for v in verdicts(plan, state) if v.monitor != "sight"}


def judged_count(state: State) -> int:
    """The number of comparisons judged."""
    return state.seen[Stream.COMPARISONS]


def open_tick_rows(state: State, stream: Stream = Stream.COMPARISONS) -> Comparisons:
    """The rows of the open tick."""
    return state.pending[stream]


def judge_rows(
    plan: Plan, *batches: Comparisons, state: State | None = None, stream: Stream = Stream.COMPARISONS
) -> tuple[State, list[Transition]]:
    """Fold the batches into a state; returns the last state and all transitions."""
    state = initial_state(plan) if state is None else state
    transitions: list[Transition] = []
    for batch in batches:
        state, made = watch.step(plan, state, batch, stream)
        transitions += made
    return state, transitions


def bit_exact(value: object) -> object:
    """Convert a record to nested values that compare equal only if every bit is equal."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: bit_exact(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: bit_exact(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [bit_exact(item) for item in value]
    return repr(value)
