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
