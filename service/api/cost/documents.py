"""The JSON of what a model costs."""

from typing import Annotated, TypedDict

from msgspec import Meta


class PartCpu(TypedDict):
    """The CPU seconds of one purpose of runs."""

    part: Annotated[str, Meta(description="`answer`, `fallback`, `escalation`, or `shadow` for the comparison")]
    role: Annotated[str, Meta(description="The role that ran")]
    cpu_seconds: float
    estimate: Annotated[
        bool, Meta(description="The runs have several threads: the first one's time, times all of them")
    ]


class ShareStatus(TypedDict):
    """Shares of the CPU seconds that the full model alone would have taken."""

    saved: Annotated[
        float, Meta(description="By compression, where the small model answers all; below 0 it costs more")
    ]
    watching: Annotated[float | None, Meta(description="`null` where a worker in another process has it")]
    fallbacks: float
    escalations: float
    in_all: Annotated[float, Meta(description="Saved after all costs that are known here")]


class ProcessCpu(TypedDict):
    """The CPU seconds of the process that answers."""

    parts: Annotated[str, Meta(description="The parts of Tightrope that run in it")]
    cpu_seconds: Annotated[float, Meta(description="Of the whole process, as the system counts them")]
    runs_cpu_seconds: Annotated[float, Meta(description="Of the runs of all its models")]
    remainder_cpu_seconds: Annotated[
        float,
        Meta(description="The process less the runs: HTTP, JSON, judging and the start; below 0: estimates exceed"),
    ]
    peak_memory_bytes: Annotated[int | None, Meta(description="`null` where the system does not tell")]


class EnergyStatus(TypedDict):
    """The energy of the machine."""

    joules: Annotated[
        float | None, Meta(description="Of the whole machine, all programs; `null` where it does not tell")
    ]
    says: str


class RoleTotals(TypedDict):
    """Counts of what each model answered."""

    compressed: int
    baseline: int


class PartSeconds(TypedDict):
    """CPU seconds by part."""

    answer: Annotated[float, Meta(description="Of the compressed model, to answer")]
    fallback: Annotated[float, Meta(description="Of the baseline in its place")]
    escalation: Annotated[float, Meta(description="Of the baseline, for what the compressed model refused")]
    shadow: Annotated[
        float | None, Meta(description="Of the other model, to compare; `null` where no worker counts in this ledger")
    ]


class OtherModelSeconds(TypedDict):
    """Estimated CPU seconds that the other model would have taken; `null` where it is not known."""

    answer: Annotated[float | None, Meta(description="Of the baseline, for the runs of `answer`")]
    fallback: Annotated[float | None, Meta(description="Of the compressed model, for the runs of `fallback`")]


class CostOfDay(TypedDict):
    """The cost of a model on a UTC day."""

    day: Annotated[str, Meta(description="YYYY-MM-DD, UTC")]
    requests: RoleTotals
    rows: RoleTotals
    cpu_seconds: PartSeconds
    other_model_cpu_seconds: OtherModelSeconds
    blind_seconds: Annotated[
        float, Meta(description="For which the baseline answered because nothing was judged; added up over processes")
    ]
    estimate: Annotated[
        bool, Meta(description="Some runs have several threads: the first one's time, times all of them")
    ]
    parts: Annotated[list[str], Meta(description="The parts of Tightrope that have counted on this day")]


class CostDays(TypedDict):
    """The cost of a model by UTC day, over restarts; days without any count are left out."""

    model: str
    days: list[CostOfDay]
    parts: Annotated[list[str], Meta(description="The parts of Tightrope whose counts are in this ledger")]
    missing: Annotated[
        list[str], Meta(description="The parts without any count here: they keep a ledger of their own, or none")
    ]


class ModelCost(TypedDict):
    """The cost of a model since this process began."""

    model: str
    sentence: str
    runs: list[PartCpu]
    full_model_cpu_seconds: Annotated[
        float | None, Meta(description="Estimate for the full model alone; `null` where it is not known")
    ]
    shares: Annotated[ShareStatus | None, Meta(description="`null` where the full model's time is not known")]
    process: ProcessCpu
    energy: EnergyStatus
