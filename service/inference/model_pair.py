"""A model pair: both models, loaded and checked against each other, and everything derived from the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from msgspec.structs import replace

from tightrope.monitors.compare import Decision
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.kinds.seam import DecisionKind
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.config import models as config
from tightrope.service.inference.batchability import Batchability
from tightrope.service.inference.kinds.kind_runs import deciding_outputs
from tightrope.service.inference.probing.own_noise import OwnNoise
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.inference.states.state_tensors import StateTensors
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.service.routing.qualification_gate import Qualification

UNARMED = (
    "advisory, because neither a mode nor a limit is written, unless the model was armed before: a breach is only "
    "recorded; write mode: armed"
)
"""The warning about a model that nothing says to guard."""


@dataclass(frozen=True)
class ModelPair:
    """The two models that are served under one name, and how. ``layout``: the axes of the declared inputs' rows, None
    where all are 0; ``notes`` tell how their tensors were mapped. ``kind`` reads and compares the decisions; without
    one they are classes, or values, of the decision's scale. ``own_noise`` is the baseline's, where no tolerance is
    written. ``digests`` are those of the loaded artefacts by key; ``states`` are outputs that callers send back;
    ``qualification`` is what its statement says, None where none is asked for; ``owner`` answers for it to people;
    ``run_seconds`` is what
    `costs.measured_run` remembers.
    """

    name: str
    version: str
    models: dict[Role, Model]
    decision: Decision
    output: str
    action: Literal["flag", "escalate", "abstain"]
    subgroups: Subgroups
    sampler: Sampler
    noise_share: float
    fallback_seconds: float | None
    plan: Plan
    batchability: Batchability
    batch_rows: int | None = None
    queue: int = 1024
    warm_up: tuple[tuple[Role, int], ...] = ()
    allow_nan: bool = False
    caller: config.CallerSection | None = None
    host_classes: Mapping[Role, str] = field(default_factory=dict)
    layout: RowLayout | None = None
    notes: Sequence[str] = ()
    kind: DecisionKind | None = None
    lacks_tolerance: bool = False
    own_noise: OwnNoise | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    states: StateTensors | None = None
    qualification: Qualification | None = None
    owner: str | None = None
    run_seconds: Mapping[Role, dict[int, tuple[float, int, int]]] = field(default_factory=lambda: {r: {} for r in Role})

    @property
    def is_remote(self) -> bool:
        """Whether either model is on another server, so that runs wait for the network."""
        return any(endpoint_of(model) for model in self.models.values())

    @cached_property
    def caller_header(self) -> bytes | None:
        """The header that names the caller, in lower case; None if none is configured."""
        return self.caller.header.lower().encode() if self.caller and self.caller.header else None

    @cached_property
    def has_free_rows(self) -> bool:
        """Whether a request may have any number of rows, by the declared inputs."""
        return all(spec.shape[:1] == (-1,) for spec in self.inputs)

    @cached_property
    def has_free_width(self) -> bool:
        """Whether a dimension other than the first is free in some input."""
        return any(-1 in spec.shape[1:] for spec in self.inputs)

    @cached_property
    def output_names(self) -> Sequence[str]:
        """The names of all outputs."""
        return [spec.name for spec in self.outputs]

    @cached_property
    def deciding(self) -> Sequence[str]:
        """The names of the outputs that the decision is read from."""
        return deciding_outputs(self.kind, self.output)

    @cached_property
    def reads_eagerly(self) -> bool:
        """Whether the certainty of an answer, or its class, is needed before it is sent."""
        return self.decision.refusal is not None or self.fallback_seconds is not None or bool(self.plan.askable)

    @property
    def warnings(self) -> Sequence[str]:
        """One line, with its key, for each reason for which the pair can be served, but not be guarded."""
        digest = self.models[Role.COMPRESSED].digest
        unwritten = [] if self.plan.armed or not self.plan.keeps_armed else [f"models.{self.name}.mode: {UNARMED}"]
        if self.lacks_tolerance:
            unwritten.append(f"models.{self.name}.decision.tolerance: {_tolerance_advice(self.own_noise)}")
        if self.qualification:
            unwritten += self.qualification.lines
        if digest != self.models[Role.BASELINE].digest:
            return unwritten
        same = f"is the same model as the baseline ({digest[:12]}): the monitors compare it with itself and never alarm"
        return [*unwritten, f"models.{self.name}.compressed: {same}"]

    def can_share_run(self, requests: Sequence[InferRequest]) -> bool:
        """Whether requests may share a run: their outputs allow it, and their widths are equal."""
        allows = self.batchability.allows
        if not (self.batchability.is_open or all(allows([o.name for o in request.outputs]) for request in requests)):
            return False
        if not self.has_free_width:
            return True
        first = {name: tensor.shape[1:] for name, tensor in requests[0].inputs.items()}
        return all(tensor.shape[1:] == first[name] for request in requests for name, tensor in request.inputs.items())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of a request, rows first."""
        return self.models[Role.BASELINE].inputs

    @property
    def declared_inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of a request, as callers send them."""
        return self.layout.declared if self.layout else self.inputs

    def rows_first(self, request: InferRequest) -> InferRequest:
        """A request that has the declared shapes, with its rows first."""
        return replace(request, inputs=self.layout.rows_first(request.inputs)) if self.layout else request

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of a response, rows as the model gives them."""
        return self.models[Role.BASELINE].outputs

    @property
    def declared_outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of a response, as callers get them."""
        if self.layout is None or not self.layout.is_request:
            return self.outputs
        return tuple(TensorSpec(spec.name, spec.datatype, spec.shape[1:]) for spec in self.outputs)

    def as_declared(self, responses: Sequence[InferResponse]) -> Sequence[InferResponse]:
        """Responses with the outputs as callers get them: whole where a request is a row."""
        if self.layout is None or not self.layout.is_request:
            return responses
        return [
            replace(each, outputs={name: tensor.reshape(tensor.shape[1:]) for name, tensor in each.outputs.items()})
            for each in responses
        ]


def _tolerance_advice(noise: OwnNoise | None) -> str:
    is_zero = "is 0, so that any difference counts as a disagreement"
    if noise is None:
        return f"{is_zero}; write the error that you tolerate"
    return f"{is_zero}; {noise}; write tolerance: {noise.tolerance:g}, or the error that you tolerate"
