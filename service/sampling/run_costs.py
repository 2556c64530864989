"""The processor time of runs, counted off the request path by model, role and part."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence

from tightrope.monitors.cost.shares import RunCost, RunPart
from tightrope.monitors.records import Role
from tightrope.service.adapters.prometheus.metrics import drain
from tightrope.service.adapters.runs.cpu_threads import cpu_factor
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.batch import BatchExecution
from tightrope.service.inference.model_pair import ModelPair


class RunCosts:
    """The costs that are noted and not counted yet; ``profiles`` say what the other model would have taken."""

    def __init__(self, profiles: Mapping[str, RunProfile]) -> None:
        self._profiles = profiles
        self._noted: deque[tuple[ModelPair, Sequence[RunCost]]] = deque()

    def note(self, execution: BatchExecution) -> None:
        """Note the costs of an answered batch."""
        self._noted.append((execution.pair, execution.costs))

    def take(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Seconds to add to the counters, by their names in the catalogue and their labels' values."""
        own: dict[tuple[str, ...], float] = defaultdict(float)
        other: dict[tuple[str, ...], float] = defaultdict(float)
        for (pair, part, rows), thread_seconds in self._sums():
            role = Role.COMPRESSED if part is RunPart.ANSWER else Role.BASELINE
            labels, seconds = (pair.name, role, part), thread_seconds * cpu_factor(pair.models[role])
            own[labels] += seconds
            profile = self._profiles.get(pair.name)
            by_other = profile.cpu_ratio.other_seconds(role, rows, seconds) if profile else None
            other[labels] += by_other or 0.0
        return {"cpu_seconds": own, "other_model_cpu_seconds": other}

    def _sums(self) -> Iterator[tuple[tuple[ModelPair, RunPart, int], float]]:
        """The sums of what is noted, by pair, part and rows: a run by itself would cost as much as a small model."""
        pairs: dict[int, ModelPair] = {}
        sums: dict[tuple[int, RunPart, int], float] = defaultdict(float)
        for pair, costs in drain(self._noted):
            pairs[id(pair)] = pair
            for part, rows, seconds in costs:
                sums[id(pair), part, rows] += seconds
        for (pair_id, part, rows), seconds in sums.items():
            yield (pairs[pair_id], part, rows), seconds
