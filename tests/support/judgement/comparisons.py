"""Comparisons, plans and folds made to order, for tests of the judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tightrope.monitors import status, watch
from tightrope.monitors.budget import Ask, Budget, rules
from tightrope.monitors.catalogue import CATALOGUE, Reach
from tightrope.monitors.plan import Plan, State, Transition, start
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Stream, Verdict
from tightrope.monitors.safemode import Policy

SCOPES = ("group=a", "group=b", "half=left")
_SCORES = [f"{name}_{role}" for name in ("confidence", "entropy", "margin") for role in ("baseline", "compressed")]
_UNKNOWN = ("self_disagree", "correct_baseline", "correct_compressed")
_FLOATS = ("time", "draw", "inclusion", "distance", "seconds", *_SCORES, *_UNKNOWN)
_INTS = ("partition", "offset", "top_baseline", "top_compressed")
_BOOLS = ("served_by_baseline", "disagree", "refused_baseline", "refused_compressed")


def comparisons(n: int, *, scopes: tuple[str, ...] = SCOPES, log: str = "log-1", **columns: ArrayLike) -> Comparisons:
    """Sound rows, one a second, on which both models agree, in no subgroup; ``columns`` says what is otherwise, row by
    row or for all.
    """
    dtypes: dict[str, type[np.generic]] = dict.fromkeys(_FLOATS, np.float64) | dict.fromkeys(_BOOLS, np.bool_)
    dtypes |= dict.fromkeys(_INTS, np.int64) | {"fault": np.int8, "twin": np.uint64}
    usual: dict[str, ArrayLike] = {"time": np.arange(n), "offset": np.arange(n), "inclusion": 1.0}
    usual |= dict.fromkeys(_UNKNOWN, np.nan)
    given = usual | columns
    member = given.pop("member", False)
    arrays: dict[str, Any] = {
        name: np.broadcast_to(np.asarray(given.pop(name, 0), dtype=dtype), n).copy() for name, dtype in dtypes.items()
    }
    assert not given, f"no such columns: {given}"
    return Comparisons(
        model="m",
        baseline_digest="b1",
        compressed_digest="c1",
        log=log,
        scopes=scopes,
        request_id=tuple(f"{arrays['partition'][i]}-{arrays['offset'][i]}" for i in range(n)),
        member=np.broadcast_to(np.asarray(member, dtype=bool), (n, len(scopes))).copy(),
        **arrays,
    )


@dataclass
class Traffic:
    """Rows one batch after the other: offsets and event times go on where the batch before ended."""

    seconds: float = 1.0
    offset: int = 0
    time: float = 0.0

    def rows(self, n: int, **columns: ArrayLike) -> Comparisons:
        """The next n rows, ``seconds`` apart."""
        counted: dict[str, ArrayLike] = {
            "offset": self.offset + np.arange(n),
            "time": self.time + self.seconds * np.arange(n),
        }
        self.offset += n
        self.time += self.seconds * n
        return comparisons(n, **(counted | columns))


def asks(*monitors: str, scopes: tuple[str, ...] = SCOPES, lanes: int = 1, classes: int = 2) -> list[Ask]:
    """These questions (or all) of a model with so many classes, with the catalogue's limits, and twice them for
    subgroups.
    """
    questions = [CATALOGUE[name] for name in monitors or CATALOGUE]
    limits = [np.array([question.limit, *[2 * question.limit] * len(scopes)]) for question in questions]
    return [
        Ask(question, question.variants(classes), limit, lanes=lanes)
        for question, limit in zip(questions, limits, strict=True)
    ]


def plan(
    *monitors: str,
    scopes: tuple[str, ...] = SCOPES,
    samples: float = 3.15e8,
    policy: Policy | None = None,
    lanes: int = 1,
    classes: int = 2,
    **changes: Any,  # noqa: ANN401 - any field of a plan
) -> Plan:
    """A plan that asks these questions (or all) as `asks` does."""
    policy = policy or Policy()
    asked = asks(*monitors, scopes=scopes, lanes=lanes, classes=classes)
    made = Plan(
        model="m",
        baseline_digest="b1",
        compressed_digest="c1",
        scopes=(MODEL_SCOPE, *scopes),
        rates=np.ones(1 + len(scopes)),
        rules=rules(asked, Budget(samples), policy.recovery_ratio),
        budget=Budget(samples),
        policy=policy,
        tick_seconds=1e9,
        digest="d1",
    )
    return replace(made, **changes)


def watching(monitors: Sequence[str], subgroups: Sequence[str] = SCOPES) -> set[tuple[str, str]]:
    """Which scope and monitor are looked at, of these monitors."""
    return {
        (scope, name)
        for name in monitors
        for scope in (MODEL_SCOPE, *subgroups)
        if CATALOGUE[name].reach is not (Reach.SUBGROUPS if scope == MODEL_SCOPE else Reach.MODEL)
    }


def said(plan: Plan, state: State) -> dict[tuple[str, str], Verdict]:
    """Verdicts by scope and monitor, but for that about sight."""
    return {(v.scope, v.monitor): v for v in status.verdicts(plan, state) if v.monitor != "sight"}


def seen(state: State) -> int:
    """How many comparisons were judged."""
    return state.seen[Stream.COMPARISONS]


def waiting(state: State, stream: Stream = Stream.COMPARISONS) -> Comparisons:
    """The rows of the open tick."""
    return state.pending[stream]


def fold(
    plan: Plan, *batches: Comparisons, state: State | None = None, stream: Stream = Stream.COMPARISONS
) -> tuple[State, list[Transition]]:
    """The state after the batches, and everything that happened."""
    state = start(plan) if state is None else state
    happened: list[Transition] = []
    for batch in batches:
        state, made = watch.step(plan, state, batch, stream)
        happened += made
    return state, happened


def bits(value: object) -> object:
    """A record as something that compares equal only if every bit is the same."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: bits(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [bits(item) for item in value]
    return repr(value)
