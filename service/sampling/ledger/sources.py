"""Where the ledger's amounts come from: the counters that the metrics show, and the time that a gateway is blind."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from tightrope.monitors.cost.amounts import CostAmounts, CostPart
from tightrope.monitors.cost.shares import RunPart
from tightrope.monitors.records import Role
from tightrope.service.adapters.runs.cpu_threads import cpu_factor
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.model_pair import ModelPair

CostCounts = Mapping[str, Mapping[tuple[str, ...], float]]
"""CostCounts by their names in the catalogue and the values of their labels."""

OWN, OTHER, SHADOW = "cpu_seconds", "other_model_cpu_seconds", "shadow_cpu_seconds"
ANSWERED, ROWS_ANSWERED = "answered_requests", "rows"


class CountReader(Protocol):
    """Reads counters."""

    def counts(self, *names: str) -> CostCounts:
        """The current values of counters by their names."""


class CostSource(Protocol):
    """Counts for one part of Tightrope. It is used by one thread at a time."""

    @property
    def part(self) -> str:
        """The part."""

    def check_sight(self) -> None:
        """Note what only the moment tells; called about once a second."""

    def take(self) -> Mapping[str, CostAmounts]:
        """The amounts of every model since the last call."""


class CounterChanges:
    """The changes of counters since the last call, at first since the process began."""

    def __init__(self, metrics: CountReader, *names: str) -> None:
        self._metrics = metrics
        self._names = names
        self._before: CostCounts = {name: {} for name in names}

    def take(self) -> CostCounts:
        """The changes by name and labels."""
        now, before = self._metrics.counts(*self._names), self._before
        self._before = now
        return {
            name: {labels: value - before[name].get(labels, 0.0) for labels, value in by_labels.items()}
            for name, by_labels in now.items()
        }


class GatewayCosts:
    """Counts for a gateway; ``blindness`` gives the reason for which it is blind for a model, or an empty string.
    ``clock`` is monotonic.
    """

    part = CostPart.GATEWAY

    def __init__(
        self,
        pairs: Mapping[str, ModelPair],
        profiles: Mapping[str, RunProfile],
        blindness: Callable[[str], str],
        metrics: CountReader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pairs, self._profiles = pairs, profiles
        self._blindness = blindness
        self._clock = clock
        self._changes = CounterChanges(metrics, ANSWERED, ROWS_ANSWERED, OWN, OTHER)
        self._looked = clock()
        self._blind = dict.fromkeys(pairs, 0.0)

    def check_sight(self) -> None:
        """Add the time since the last check where the gateway is blind."""
        now = self._clock()
        seconds, self._looked = now - self._looked, now
        for model in self._blind:
            self._blind[model] += seconds if self._blindness(model) else 0.0

    def take(self) -> Mapping[str, CostAmounts]:
        """The amounts of every model since the last call."""
        self.check_sight()
        blind, self._blind = self._blind, dict.fromkeys(self._pairs, 0.0)
        changes = self._changes.take()
        return {name: self._amounts(pair, changes, blind[name]) for name, pair in self._pairs.items()}

    def _amounts(self, pair: ModelPair, changes: CostCounts, blind_seconds: float) -> CostAmounts:
        name, compressed, baseline = pair.name, Role.COMPRESSED, Role.BASELINE
        requests, rows, own, other = (changes[each] for each in (ANSWERED, ROWS_ANSWERED, OWN, OTHER))
        rows_compressed, rows_baseline = rows.get((name, compressed), 0.0), rows.get((name, baseline), 0.0)
        answer = own.get((name, compressed, RunPart.ANSWER), 0.0)
        fallback = own.get((name, baseline, RunPart.FALLBACK), 0.0)
        escalation = own.get((name, baseline, RunPart.ESCALATION), 0.0)
        return CostAmounts(
            requests_compressed=requests.get((name, compressed), 0.0),
            requests_baseline=requests.get((name, baseline), 0.0),
            rows_compressed=rows_compressed,
            rows_baseline=rows_baseline,
            answer=answer,
            fallback=fallback,
            escalation=escalation,
            answer_by_baseline=other.get((name, compressed, RunPart.ANSWER), 0.0),
            fallback_by_compressed=other.get((name, baseline, RunPart.FALLBACK), 0.0),
            blind_seconds=blind_seconds,
            estimated=_estimated(pair, {compressed: answer, baseline: fallback + escalation}),
            untimed_rows=0.0 if self._is_timed(name) else rows_compressed + rows_baseline,
        )

    def _is_timed(self, model: str) -> bool:
        return model in self._profiles and bool(self._profiles[model].cpu_ratio.by_rows)


class WorkerCosts:
    """Counts for a worker: the CPU seconds of the shadow."""

    part = CostPart.WORKER

    def __init__(self, pairs: Mapping[str, ModelPair], metrics: CountReader) -> None:
        self._pairs = pairs
        self._changes = CounterChanges(metrics, SHADOW)

    def check_sight(self) -> None:
        """Nothing: all of it is counted."""

    def take(self) -> Mapping[str, CostAmounts]:
        """The amounts of every model since the last call."""
        seconds = self._changes.take()[SHADOW]
        return {name: self._amounts(pair, seconds) for name, pair in self._pairs.items()}

    def _amounts(self, pair: ModelPair, seconds: Mapping[tuple[str, ...], float]) -> CostAmounts:
        by_role = {role: seconds.get((pair.name, role), 0.0) for role in Role}
        return CostAmounts(shadow=sum(by_role.values()), estimated=_estimated(pair, by_role))


def _estimated(pair: ModelPair, seconds: Mapping[Role, float]) -> float:
    """The part of these CPU seconds that belongs to runs with several threads."""
    return sum(each for role, each in seconds.items() if each and cpu_factor(pair.models[role]) > 1)
