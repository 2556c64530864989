"""Collects what each model has cost since this process began, from the counters that its metrics show."""

import time
from collections.abc import Callable

from tightrope.monitors.cost.shares import ModelCpu, RunPart, cpu_shares
from tightrope.monitors.records import Role
from tightrope.service.adapters.memory import own_peak_bytes
from tightrope.service.adapters.ports import EnergyMeter
from tightrope.service.adapters.runs.cpu_threads import cpu_factor
from tightrope.service.api.cost.documents import EnergyStatus, ModelCost, PartCpu, ProcessCpu, ShareStatus
from tightrope.service.api.cost.words import cost_sentence
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.sampling.ledger.sources import OTHER, OWN, SHADOW, CostCounts

SHADOW_PART = "shadow"
ALL_PARTS, GATEWAY_PARTS = "gateway, worker and judge", "gateway; its workers and judges count their own"
BY_MACHINE = "RAPL: the processors of the whole machine, all programs together, since the page of costs was first asked"
NO_ENERGY = "not told: the machine does not show its energy, or not to this user"


def model_cpu(counts: CostCounts, pair: ModelPair) -> ModelCpu:
    """The CPU seconds of a model by part; the estimates are None where both models cannot be timed here."""
    name = pair.name
    answer, fallback = (name, Role.COMPRESSED, RunPart.ANSWER), (name, Role.BASELINE, RunPart.FALLBACK)
    own, other, shadow = counts[OWN], counts[OTHER], counts[SHADOW]
    by_baseline, by_compressed = other.get(answer, 0.0), other.get(fallback, 0.0)
    is_known = (by_baseline > 0 or not own.get(answer)) and (by_compressed > 0 or not own.get(fallback))
    is_here = any(labels[0] == name for labels in shadow)
    return ModelCpu(
        answer=own.get(answer, 0.0),
        fallback=own.get(fallback, 0.0),
        escalation=own.get((name, Role.BASELINE, RunPart.ESCALATION), 0.0),
        shadow=sum(shadow.get((name, role), 0.0) for role in Role) if is_here else None,
        answer_by_baseline=by_baseline if is_known else None,
        fallback_by_compressed=by_compressed if is_known else None,
    )


class CostReader:
    """Makes the document of a model. ``meter`` tells the machine's energy, ``process_time`` the CPU seconds of this
    process.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        meter: EnergyMeter | None,
        process_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._engine = engine
        self._meter = meter
        self._process_time = process_time

    def document(self, model: str) -> ModelCost:
        """The document of a model.

        Raises:
            UnknownModelError: when it is not served here.
        """
        pair = self._engine.pair(model)
        counts = self._engine.metrics.counts(OWN, OTHER, SHADOW)
        cpu = model_cpu(counts, pair)
        shares = cpu_shares(cpu)
        status: ShareStatus | None = None
        if shares is not None:
            status = {
                "saved": shares.saved,
                "watching": shares.watching,
                "fallbacks": shares.fallbacks,
                "escalations": shares.escalations,
                "in_all": shares.in_all,
            }
        return {
            "model": pair.name,
            "sentence": cost_sentence(shares),
            "runs": _runs(counts, pair),
            "full_model_cpu_seconds": cpu.baseline_alone,
            "shares": status,
            "process": self._process(counts),
            "energy": self._energy(),
        }

    def sentence(self, model: str) -> str:
        """The sentence of a model that is served here."""
        return cost_sentence(
            cpu_shares(model_cpu(self._engine.metrics.counts(OWN, OTHER, SHADOW), self._engine.pair(model)))
        )

    def _process(self, counts: CostCounts) -> ProcessCpu:
        total = self._process_time()
        runs = sum(sum(counts[name].values()) for name in (OWN, SHADOW))
        return {
            "parts": ALL_PARTS if counts[SHADOW] else GATEWAY_PARTS,
            "cpu_seconds": total,
            "runs_cpu_seconds": runs,
            "remainder_cpu_seconds": total - runs,
            "peak_memory_bytes": own_peak_bytes() or None,
        }

    def _energy(self) -> EnergyStatus:
        joules = self._meter.joules() if self._meter else None
        return {"joules": joules, "says": NO_ENERGY if joules is None else BY_MACHINE}


def _runs(counts: CostCounts, pair: ModelPair) -> list[PartCpu]:
    """Every part that has run, those of the gateway first."""
    own = {(part, role): seconds for (name, role, part), seconds in counts[OWN].items() if name == pair.name}
    shadow = {(SHADOW_PART, role): seconds for (name, role), seconds in counts[SHADOW].items() if name == pair.name}
    return [
        {"part": part, "role": role, "cpu_seconds": seconds, "estimate": cpu_factor(pair.models[Role(role)]) > 1}
        for (part, role), seconds in (own | shadow).items()
        if seconds > 0
    ]
