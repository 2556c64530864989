"""The configuration of one model. A field's text gives its meaning and unit; docs/configuration.md is made of them."""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from tightrope.monitors.added_scopes.added_scope import HOST_ATTRIBUTE
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.compare import Score
from tightrope.monitors.dependence.units import Independence
from tightrope.monitors.detector import HIGHEST_RATE, RATIOS
from tightrope.monitors.intake.repeats import Repeats
from tightrope.monitors.records import Role
from tightrope.service.config.columns import ColumnKey, ColumnSection, RedactSection, SearchMode
from tightrope.service.config.decision import DecisionSection
from tightrope.service.config.qualification import CardOptions, QualificationSection
from tightrope.service.config.review import ReviewSection
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.config.section import Name, Section
from tightrope.service.config.subgroups import SubgroupSection
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.config.tensors import TensorsSection

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Limit = Annotated[float, Field(gt=0, lt=HIGHEST_RATE / min(RATIOS))]


class RefusalSection(Section):
    """The uncertainty at which an answer is refused, and the consequence."""

    score: Score = Score.MAX_PROBABILITY
    """The score compared with the threshold: max_probability, margin, or entropy (nats; refused above it)."""
    threshold: Finite
    """Refuse below it (above it, for entropy)."""
    compressed_threshold: Finite | None = None
    """The compressed model's own threshold, if it was calibrated separately."""
    action: Literal["flag", "escalate", "abstain"] = "flag"
    """flag: answer, and mark the answer. escalate: re-run on the baseline, refuse only if it is uncertain too.
    abstain: answer without outputs.
    """


class SamplingSection(Section):
    """The share of requests that the shadow compares."""

    rate: Share = 1.0
    """The share of all requests."""
    floors: dict[str, Share] = Field(default_factory=dict)
    """For a subgroup, written attribute=value, the minimum share of its requests."""


class CallerSection(Section):
    """The field of a request that names its caller, such as an account; only a keyed digest of it is kept."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")] | None = None
    """The header of the request, or the metadata of a gRPC call; a proxy must set it, because callers can forge it."""
    parameter: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """The request parameter."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.header is None) == (self.parameter is None):
            raise ValueError("needs either header or parameter")
        return self


class LatencySection(Section):
    """An objective for the latency of the answering model. A breach is reported; it changes no routing."""

    seconds: Annotated[float, Field(gt=0)]
    """An answer that takes longer is slow."""
    limit: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The tolerated share of slow answers in a block of ten seconds."""


class LabelsSection(Section):
    """Late labels."""

    horizon_seconds: Annotated[float, Field(gt=0)] = 172_800.0
    """How long a compared row waits for its label, and a label for its row."""
    disagreements: Annotated[float, Field(ge=0.05, le=1)] = 1.0
    """The probability with which a row on which the models disagree is drawn for a label. With labels of these rows
    accuracy is watched, and harmless differences are told from harm; rows that agree need none.
    """
    random: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The probability with which any row is drawn for a label: the sample that Brier score and calibration need."""


class PayloadsSection(Section):
    """Payload events of a model that is served elsewhere; see docs/payload-events.md."""

    answered_by: Role = Role.COMPRESSED
    """The role of the model that answers there."""
    wait_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long an event waits for its other half."""
    most_waiting: Annotated[int, Field(ge=1)] = 10_000
    """Maximum number of waiting events; the oldest is dropped."""


class Endpoint(Section):
    """A model on another server of the Open Inference Protocol v2; see docs/endpoints.md."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    """The server's address, http or https, without /v2."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """The model's name there."""
    version: Name | None = None
    """The version to request; the server's default if left out."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 2.0
    """Timeout of a call, connecting included; after it the other model answers."""
    max_rows: Annotated[int, Field(ge=1)] = 64
    """Maximum rows of one call that the server accepts; more are sent in several calls."""
    failures: Annotated[int, Field(ge=1)] = 3
    """After this many consecutive failures no request is sent to it until it is back."""
    probe_seconds: Annotated[float, Field(gt=0)] = 1.0
    """Interval of the probes while it is unavailable."""
    required: bool = True
    """Whether it must be available at start; if not, `version` is needed and the other role must declare the inputs."""
    token_file: Path | None = None
    """A file with the bearer token that is sent to it."""

    def resolved(self, folder: Path) -> Self:
        """The endpoint with its path resolved against a folder."""
        return self.model_copy(update={"token_file": folder / self.token_file}) if self.token_file else self

    @model_validator(mode="after")
    def _has_version(self) -> Self:
        if not self.required and self.version is None:
            raise ValueError("required: false needs a version: a server that is unavailable cannot report it")
        return self


def _form_of_artefact(value: object) -> str | None:
    if isinstance(value, str | Path):
        return "<file>"
    return "<endpoint>" if isinstance(value, dict | Endpoint) else None


Artefact: TypeAlias = Annotated[
    Annotated[Path, Tag("<file>")] | Annotated[Endpoint, Tag("<endpoint>")],
    Discriminator(_form_of_artefact, "artefact", "must be the path of an ONNX file, or a map with endpoint and model"),
]


class ProbeSection(Section):
    """The runs at check, start and deploy that show what the models do with rows."""

    seconds: Annotated[float, Field(gt=0, le=600)] = 2.0
    """Seconds for one model, after which it is not known what runs have not shown."""
    rows: Path | None = None
    """Rows that the models run in the place of made-up ones: a .csv, .npz, .parquet or .jsonl file, or a folder of .npy
    files, as for golden.
    """


class ModelSection(Section):
    """One pair: a compressed model and its uncompressed baseline."""

    baseline: Artefact
    """The uncompressed model: the path of an ONNX file, relative to this configuration file, or a map as below."""
    compressed: Artefact
    """The compressed model, likewise."""
    version: Name = "1"
    """The version in the protocol's metadata."""
    runtime: RuntimeSection = Field(default_factory=RuntimeSection)
    """Options of onnxruntime for the models."""
    compressed_runtime: RuntimeSection | None = None
    """Separate options for the compressed model; no option of `runtime` is carried over."""
    batch_rows: Annotated[int, Field(ge=1, le=4096)] | None = None
    """Maximum rows of the requests that share a run; 1 disables batching. If left out, autotuning decides. More
    than 1 does not overrule a model that mixes the rows of a run, as made-up rows show at the start."""
    run_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 10.0
    """Deadline of one run of a model that is a file. A run that passes it is ended, and the other model answers; a
    model that passes it three times in a row gets no requests until a run of zeros answers in time. An endpoint has
    `timeout_seconds`.
    """
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Maximum number of requests that wait for a run; more are refused with 503."""
    mode: Literal["armed", "advisory"] | None = None
    """armed: a breach routes requests to the baseline. advisory: a breach is only recorded; the baseline answers while
    the judgement is blind or its state cannot be read, all the same. If left out: armed with `limits` or
    `subgroup_limits`, otherwise advisory. A model that was armed before stays armed until a mode is written.
    """
    decision: DecisionSection = Field(default_factory=DecisionSection)
    """How the outputs are read."""
    baseline_tensors: TensorsSection = Field(default_factory=TensorsSection)
    """The tensors of the baseline, where callers are to see other names."""
    compressed_tensors: TensorsSection = Field(default_factory=TensorsSection)
    """The tensors of the compressed model, where their names are not the baseline's."""
    rows: Literal["request"] | dict[str, Annotated[int, Field(ge=0)] | Literal["shared"]] | None = None
    """For an input, the axis of its rows, or shared: all rows of a request share it. request: a request is one row,
    and shares no run. If left out, runs on made-up rows show it; runs that contradict what is written are an error.
    """
    state_tensors: dict[str, str] = Field(default_factory=dict)
    """For an output that is a state, the input that callers send it back as. The role that wrote a state answers; only
    requests with fresh states, of zeros, are compared.
    """
    probe: ProbeSection = Field(default_factory=ProbeSection)
    """The runs that show what the models do with rows."""
    subgroups: dict[Name, SubgroupSection] = Field(default_factory=dict)
    """The attributes whose values are monitored separately."""
    columns: dict[ColumnKey, ColumnSection] = Field(default_factory=dict)
    """Words for input columns, by the number of the column from 0 or, where there are several inputs, by input:number:
    groups that are found are named by them.
    """
    hunter: SearchMode = "advisory"
    """The search for harm in undeclared groups: values and ranges of input columns, of the compressed model's
    answer, pairs of them, and up to eight combinations of three. advisory: a found group is reported. arm: it becomes a
    scope of its own as well, up to five, which begins in safe mode. off: nothing is searched, and no input column is
    in a comparison.
    """
    class_gain: Literal["fall_back", "ask_again"] = "fall_back"
    """The consequence where the model as a whole says classes too often, and nothing else is over its limit.
    fall_back: the baseline answers every request. ask_again: it answers the requests on which the compressed model says
    one of these classes; needs one class a row, and no `state_tensors`.
    """
    limits: dict[str, Limit | None] = Field(default_factory=dict)
    """A monitor's tolerated limit for the whole model; null switches the monitor off, for its subgroups too."""
    subgroup_limits: dict[str, Limit] = Field(default_factory=dict)
    """A monitor's tolerated limit for every subgroup; twice the model's limit if left out."""
    refusal: RefusalSection | None = None
    """Refusal of uncertain answers; off if left out."""
    sampling: SamplingSection = Field(default_factory=SamplingSection)
    """The share of requests that the shadow compares."""
    caller: CallerSection | None = None
    """The field that names the caller; unknown if left out, because an address often belongs to a proxy."""
    repeats: Repeats = Repeats.DISTINCT
    """Rows that count once: distinct (equal inputs within 4,096 rows), in a tick retries (one request id and input) or
    inputs (equal inputs), or none. A model with few possible inputs needs retries.
    """
    independence: Independence = Independence.AUTO
    """The rows that are taken to be independent; rows that are not are one step of evidence together: those of
    different requests (request), of different callers within a tick (caller), or of different windows, which are 4,096
    rows of a caller or, where callers are unknown, 1,024 rows (window). auto: callers, or requests where these are
    unknown, and windows once rows are seen to depend on each other, until they no longer do.
    """
    lanes: Annotated[int, Field(ge=1, le=50)] = 1
    """Detectors among which the rows of a stream alternate; more than 1 needs `independence: request`."""
    noise_share: Share = 0.01
    """Share of the samples that the baseline runs twice, to measure its own noise: no limit below it can be held."""
    fallback_seconds: Annotated[float, Field(gt=0)] | None = None
    """Latency, waiting included, above which the fallback of the whole model is limited to the baseline's capacity: the
    harmed subgroups first, then the most uncertain requests. If left out, the fallback is never limited.
    """
    latency: LatencySection | None = None
    """The latency objective; none if left out."""
    labels: LabelsSection | None = None
    """Joining of late labels; without it labels are refused."""
    review: ReviewSection | None = None
    """The review of drawn rows by people; needs `labels`, and the embedded bus."""
    payloads: PayloadsSection | None = None
    """Monitoring of a model that is served elsewhere, by its logger's events; without it events are refused."""
    allow_nan: bool = False
    """Whether inputs may hold NaN and infinity, such as missing values; otherwise a request with one is refused."""
    golden: Path | None = None
    """A file of input rows as the reference of drift reports, in any form of docs/thresholds.md; the first compared
    rows if left out. New model files must give readable answers for its rows. It also chooses which classes have
    monitors of their own, and, of more than 20, their limits, and the bins of confidence of calibration, which are
    tenths without it, and the margin of clear rows, which the first 1,000 compared rows fix without it
    (docs/formulas.md).
    """

    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The person or team that answers for the model, such as an address; its statement names it, and so does the label
    `owner` of its alerts, the judge's and those of Prometheus' rules.
    """
    page: Literal["large", "always", "never"] = "large"
    """When alerts about safe mode page, the judge's and those of Prometheus' rules. large: where the whole model falls
    back, or a group of at least a fifth of the requests; always: for each group; never: not at all, all are tickets.
    """
    redact: RedactSection = Field(default_factory=RedactSection)
    """The part of its rows that is left out of the record of the judgement before it is written."""
    qualification: QualificationSection | None = None
    """The proof that the compressed model needs before it serves; none if left out."""
    card: CardOptions = Field(default_factory=CardOptions)
    """Facts for the public card, which `tightrope card` writes."""

    @property
    def planned_mode(self) -> Literal["armed", "advisory"]:
        """The written mode; without one, a model with no limits of its own is advisory."""
        return self.mode or ("armed" if self.limits or self.subgroup_limits else "advisory")

    def runtime_of(self, role: Role) -> tuple[str, RuntimeSection]:
        """The key and the runtime options of a role."""
        if role is Role.COMPRESSED and self.compressed_runtime is not None:
            return "compressed_runtime", self.compressed_runtime
        return "runtime", self.runtime

    @property
    def artefacts(self) -> dict[str, Path | Endpoint]:
        """Both models, and the ONNX files around them, by their keys."""
        graphs = {
            f"{role}_tensors.{key}": path
            for role, section in self.tensors.items()
            for key, path in section.graphs.items()
        }
        return {"baseline": self.baseline, "compressed": self.compressed, **graphs}

    @property
    def tensors(self) -> dict[Role, TensorsSection]:
        """The written mapping of the tensors of each role."""
        return {Role.BASELINE: self.baseline_tensors, Role.COMPRESSED: self.compressed_tensors}

    def resolved(self, folder: Path) -> Self:
        """The section with its paths resolved against a folder."""
        artefacts = {
            str(role): folder / value if isinstance(value, Path) else value.resolved(folder)
            for role in Role
            for value in [getattr(self, role)]
        }
        tensors = {f"{role}_tensors": section.resolved(folder) for role, section in self.tensors.items()}
        golden = folder / self.golden if self.golden else None
        probe = self.probe.model_copy(update={"rows": folder / self.probe.rows}) if self.probe.rows else self.probe
        others: dict[str, object] = {"golden": golden, "decision": self.decision.resolved(folder), "probe": probe}
        if self.review is not None:
            others["review"] = self.review.resolved(folder)
        if self.qualification is not None:
            compressed = artefacts[str(Role.COMPRESSED)]
            beside = compressed if isinstance(compressed, Path) else None
            others["qualification"] = self.qualification.resolved(folder, beside)
        return self.model_copy(update={**artefacts, **tensors, **others})

    @model_validator(mode="after")
    def _runtime_is_for_a_file(self) -> Self:
        if self.compressed_runtime is not None and isinstance(self.compressed, Endpoint):
            raise ValueError("compressed_runtime is for a file, but compressed is an endpoint")
        if self.state_tensors and self.payloads is not None:
            raise ValueError("state_tensors and payloads exclude each other: events do not tell who wrote a state")
        if self.state_tensors and self.class_gain == "ask_again":
            raise ValueError(
                "class_gain: ask_again and state_tensors exclude each other: the role that wrote a state answers; "
                "write class_gain: fall_back"
            )
        if self.review is not None and self.labels is None:
            raise ValueError("review needs labels: what reviewers say becomes labels, so write labels: {}")
        if self.review is not None and self.labels is not None:
            self.review.require_reachable(self.labels.disagreements, self.labels.random)
        for role, section in self.tensors.items():
            if section.graphs and isinstance(getattr(self, role), Endpoint):
                raise ValueError(
                    f"{role}_tensors.{next(iter(section.graphs))} is for a file, but {role} is an endpoint"
                )
        return self

    @model_validator(mode="after")
    def _unit_of_evidence_is_known(self) -> Self:
        if self.lanes > 1 and self.independence is not Independence.REQUEST:
            raise ValueError(
                f"lanes: more than 1 needs independence: request (it is {self.independence}): the other units keep "
                "dependent rows together, lanes would part them"
            )
        if self.independence is Independence.CALLER and self.caller is None:
            raise ValueError("independence: caller needs the key caller, the field that names the callers")
        return self

    @field_validator("subgroups")
    @classmethod
    def _attributes_are_free(cls, subgroups: dict[str, SubgroupSection]) -> dict[str, SubgroupSection]:
        if HOST_ATTRIBUTE in subgroups:
            raise ValueError(f"{HOST_ATTRIBUTE!r} is reserved for host classes; choose another name")
        return subgroups

    @field_validator("limits", "subgroup_limits")
    @classmethod
    def _monitors_exist(cls, limits: dict[str, float | None]) -> dict[str, float | None]:
        unknown = [name for name in limits if name not in CATALOGUE]
        if unknown:
            named = f"{' nor '.join(map(repr, unknown))}; there are {', '.join(CATALOGUE)}"
            raise ValueError(f"there is no monitor {named}{did_you_mean(CATALOGUE, *unknown)}")
        return limits
