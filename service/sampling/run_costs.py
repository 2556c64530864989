"""The processor time of runs, counted off the request path by model, role and part."""

from collections import defaultdict, deque
from collections.abc import Mapping

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
        self._noted: deque[tuple[ModelPair, RunCost]] = deque()

    def note(self, execution: BatchExecution) -> None:
        """Note the costs of an answered batch."""
        self._noted.extend((execution.pair, cost) for cost in execution.costs)

    def take(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Seconds to add to the counters, by their names in the catalogue and their labels' values."""
        own: dict[tuple[str, ...], float] = defaultdict(float)
        other: dict[tuple[str, ...], float] = defaultdict(float)
        for pair, cost in drain(self._noted):
            role = Role.COMPRESSED if cost.part is RunPart.ANSWER else Role.BASELINE
            labels, seconds = (pair.name, role, cost.part), cost.cpu_seconds * cpu_factor(pair.models[role])
            own[labels] += seconds
            profile = self._profiles.get(pair.name)
            by_other = profile.cpu_ratio.other_seconds(role, cost.rows, seconds) if profile else None
            other[labels] += by_other or 0.0
        return {"cpu_seconds": own, "other_model_cpu_seconds": other}
