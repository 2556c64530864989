"""The sections of the configuration that speak of one model. Every field says what it means, in which unit."""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.compare import Scale, Score
from tightrope.monitors.detector import HIGHEST_RATE, RATIOS
from tightrope.monitors.plan import Repeats
from tightrope.monitors.records import Role

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"

MARK = "<"
"""Begins the tag of a form that a key may be written in: no name does, so tags can be told from keys."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Limit = Annotated[float, Field(gt=0, lt=HIGHEST_RATE / min(RATIOS))]
Name = Annotated[str, Field(pattern=NAME)]


class Section(BaseModel):
    """A part of the file: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Range(Section):
    """Codes from ``low`` to ``high``, both included."""

    low: float = float("-inf")
    """The lowest value."""
    high: float = float("inf")
    """The highest value."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.high:
            raise ValueError("low must not be above high")
        return self


def _form_of_codes(value: object) -> str | None:
    if isinstance(value, list):
        return "<strings>" if value and isinstance(value[0], str) else "<numbers>"
    return "<range>" if isinstance(value, dict | Range) else None


def _form_of_values(value: object) -> str | None:
    if isinstance(value, list):
        return "<list>"
    return "<map>" if isinstance(value, dict) else None


Numbers: TypeAlias = Annotated[list[float], Field(min_length=1)]
Strings: TypeAlias = Annotated[list[str], Field(min_length=1)]
Codes: TypeAlias = Annotated[
    Annotated[Numbers, Tag("<numbers>")] | Annotated[Strings, Tag("<strings>")] | Annotated[Range, Tag("<range>")],
    Discriminator(_form_of_codes, "codes", "must be a list of codes, or {low, high}"),
]
CodesByName: TypeAlias = Annotated[dict[Name, Codes], Field(min_length=1)]
Names: TypeAlias = Annotated[list[Name], Field(min_length=1)]


class Subgroup(Section):
    """One attribute whose values are watched apart. Either cut from an input column, or told by the caller."""

    parameter: str | None = None
    """The request parameter that carries the value."""
    input: str | None = None
    """The input to cut from; the model's only input if left out."""
    column: Annotated[int, Field(ge=0)] | None = None
    """The column of that input, from 0."""
    values: Annotated[
        Annotated[CodesByName, Tag("<map>")] | Annotated[Names, Tag("<list>")],
        Discriminator(_form_of_values, "values", "must be a list of names, or a map from names to codes"),
    ]
    """With a parameter: the values that are watched. With a column: for each value its codes, or {low, high}."""

    @property
    def cut(self) -> tuple[int, dict[str, list[float] | list[str] | Range]]:
        """The column, and each value's codes; nothing where the caller tells the value."""
        if self.column is None or isinstance(self.values, list):
            return 0, {}
        return self.column, self.values

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.parameter is None) == (self.column is None):
            raise ValueError("needs either parameter or column")
        if (self.column is None) != isinstance(self.values, list):
            raise ValueError("values must be a list of names with parameter, and a map from names to codes with column")
        twice = next((name for name in self.values if list(self.values).count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"values has {twice!r} twice")
        return self


class Refusal(Section):
    """When an answer is too uncertain to be given, and what happens then."""

    score: Score = Score.MAX_PROBABILITY
    """What is compared with the threshold: max_probability, margin, or entropy (nats; refused above it)."""
    threshold: Finite
    """Refuse below it (above it, for entropy)."""
    compressed_threshold: Finite | None = None
    """The compressed model's own threshold, if it was calibrated apart."""
    action: Literal["flag", "escalate", "abstain"] = "flag"
    """flag: answer, and say so. escalate: ask the baseline, refuse only if it is unsure too. abstain: give no
    outputs.
    """


class Decision(Section):
    """Which output decides, and what its numbers mean."""

    output: str | None = None
    """The output's name; the model's only output if left out."""
    scale: Scale = Scale.PROBABILITIES
    """probabilities, logits or regression."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """Regression only: values further apart than this disagree."""


class Sampling(Section):
    """Which requests the shadow sees."""

    rate: Share = 1.0
    """The share of all requests."""
    floors: dict[str, Share] = Field(default_factory=dict)
    """For a subgroup, written attribute=value, the least share of its requests."""


class Latency(Section):
    """An objective for the time that the answering model takes. A breach is shown, and moves nobody."""

    seconds: Annotated[float, Field(gt=0)]
    """An answer that takes longer is slow."""
    limit: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The tolerated share of slow answers in a block of ten seconds."""


class Labels(Section):
    """Late labels."""

    horizon_seconds: Annotated[float, Field(gt=0)] = 172_800.0
    """How long a compared row waits for its label, and a label for its row."""


class Payloads(Section):
    """Events of requests that somebody else answers; see docs/payload-events.md."""

    answered_by: Role = Role.COMPRESSED
    """Which of the two models answers there."""
    wait_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long an event waits for its other half."""
    most_waiting: Annotated[int, Field(ge=1)] = 10_000
    """Events that may wait at a time; the oldest is given up."""


class Endpoint(Section):
    """A model on another server of the Open Inference Protocol v2; see docs/endpoints.md."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    """The server's address, http or https, without /v2."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """The model's name there."""
    version: Name | None = None
    """The version that is asked for; whichever the server takes if left out."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 2.0
    """An answer that takes longer, connecting included, is none: the other model answers."""
    max_rows: Annotated[int, Field(ge=1)] = 64
    """Most rows of one call, as the server takes them; more are sent in several calls."""
    failures: Annotated[int, Field(ge=1)] = 3
    """After so many failures in a row nobody waits for it any more, until it is back."""
    probe_seconds: Annotated[float, Field(gt=0)] = 1.0
    """While it is away it is looked for so often."""
    required: bool = True
    """Whether it must be there at start; without it `version` is needed, and the other role must tell the inputs."""
    token_file: Path | None = None
    """A file with the bearer token that is sent to it."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.required and self.version is None:
            raise ValueError("required: false needs a version: a server that is not there cannot tell it")
        return self


def _form_of_artefact(value: object) -> str | None:
    if isinstance(value, str | Path):
        return "<file>"
    return "<endpoint>" if isinstance(value, dict | Endpoint) else None


Artefact: TypeAlias = Annotated[
    Annotated[Path, Tag("<file>")] | Annotated[Endpoint, Tag("<endpoint>")],
    Discriminator(_form_of_artefact, "artefact", "must be the path of an ONNX file, or a map with endpoint and model"),
]


class Runtime(Section):
    """How onnxruntime runs a model that is a file; see docs/operations.md."""

    providers: Annotated[list[str], Field(min_length=1)] = ["CPUExecutionProvider"]
    """Execution providers, the first that can run a node does; the processor takes what none of them can."""
    provider_options: dict[str, dict[str, str | int | float | bool]] = Field(default_factory=dict)
    """By provider its own options, such as device_id; onnxruntime's documentation has them."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads of one node of one call (intra-op). Calls run side by side anyway, where that pays."""
    node_threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Nodes of one call that run side by side (inter-op); more than 1 needs execution: parallel."""
    execution: Literal["sequential", "parallel"] = "sequential"
    """Whether a call runs one node after the other, or branches of the graph side by side."""
    optimization: Literal["none", "basic", "extended", "all"] = "all"
    """How far the graph is rewritten when it is loaded; less loads sooner, and may run slower."""
    arena: bool = True
    """Whether memory is kept between calls. Without it a process is smaller after a large batch."""
    memory_pattern: bool = True
    """Whether what a call of a known shape needs is taken at once. Sequential execution only."""
    warm_up_rows: Annotated[int, Field(ge=1, le=4096)] | None = None
    """A gateway is not ready before either model has run batches of 1, 2, 4 and so on up to so many rows."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        twice = next((name for name in self.providers if self.providers.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"providers has {twice!r} twice")
        stray = next((name for name in self.provider_options if name not in self.providers), None)
        if stray is not None:
            raise ValueError(f"provider_options has {stray!r}, which providers has not")
        if self.node_threads > 1 and self.execution != "parallel":
            raise ValueError("node_threads above 1 needs execution: parallel")
        return self


class Model(Section):
    """One pair: a compressed model and its uncompressed baseline."""

    baseline: Artefact
    """The uncompressed model: the path of an ONNX file, relative to this configuration file, or a map as below."""
    compressed: Artefact
    """The compressed model, likewise."""
    version: Name = "1"
    """The version that the protocol shows."""
    runtime: Runtime = Field(default_factory=Runtime)
    """How onnxruntime runs the models."""
    compressed_runtime: Runtime | None = None
    """How it runs the compressed model, if that is to be run otherwise; nothing of the above is carried over."""
    batch_rows: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Most rows of the requests that share a run; 1 keeps them apart. If left out, whether batches pay is tried."""
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Requests that may wait for a run; more are refused with 503."""
    mode: Literal["armed", "advisory"] = "armed"
    """armed: a breach moves requests to the baseline. advisory: it is only recorded."""
    decision: Decision = Field(default_factory=Decision)
    """How to read the outputs."""
    subgroups: dict[Name, Subgroup] = Field(default_factory=dict)
    """The attributes whose values are watched apart."""
    limits: dict[str, Limit | None] = Field(default_factory=dict)
    """A monitor's tolerated limit for the model as a whole; null switches the monitor off, for its subgroups too."""
    subgroup_limits: dict[str, Limit] = Field(default_factory=dict)
    """The same for every subgroup; twice the model's limit if left out."""
    refusal: Refusal | None = None
    """When an answer is too uncertain."""
    sampling: Sampling = Field(default_factory=Sampling)
    """Which requests the shadow sees."""
    repeats: Repeats = Repeats.RETRIES
    """Which samples of a tick count once: retries (one request id), inputs (equal inputs), or none."""
    lanes: Annotated[int, Field(ge=1, le=50)] = 1
    """Detectors that take the rows of a stream in turn; more than 1 where neighbouring rows depend on each other."""
    noise_share: Share = 0.01
    """Of this share of the samples the baseline is asked twice: a limit below its own noise cannot be held."""
    fallback_seconds: Annotated[float, Field(gt=0)] | None = None
    """When the whole model falls back and answers take longer than this, waiting included, the baseline gets what it
    can bear: the harmed subgroups, then the most uncertain requests. Everything, however long it takes, if left out.
    """
    latency: Latency | None = None
    """The objective for the time that a model takes, if it is watched."""
    labels: Labels | None = None
    """How late labels are joined; without it none are taken."""
    payloads: Payloads | None = None
    """Watches a model that is served elsewhere, by the events of its logger; without it none are taken."""
    golden: Path | None = None
    """A CSV of input rows that drift reports compare with; the first rows that were compared if left out."""

    def runtime_of(self, role: Role) -> tuple[str, Runtime]:
        """How a role is run, after the key that says so."""
        if role is Role.COMPRESSED and self.compressed_runtime is not None:
            return "compressed_runtime", self.compressed_runtime
        return "runtime", self.runtime

    @model_validator(mode="after")
    def _run_here(self) -> Self:
        if self.compressed_runtime is not None and isinstance(self.compressed, Endpoint):
            raise ValueError("compressed_runtime is for a file, but compressed is an endpoint")
        return self

    @field_validator("limits", "subgroup_limits")
    @classmethod
    def _known(cls, limits: dict[str, float | None]) -> dict[str, float | None]:
        unknown = sorted(set(limits) - set(CATALOGUE))
        if unknown:
            raise ValueError(f"there is no monitor {unknown[0]!r}; there are {', '.join(CATALOGUE)}")
        return limits
