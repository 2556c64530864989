"""Loading of a pair: its files or endpoints, the checks, the reference rows, and the findings of a trial, if any."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel, RuntimeOptions
from tightrope.service.adapters.open_inference.model import EndpointAddress, connect, endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.config.loader import ConfigError, Settings, secret
from tightrope.service.config.models import Endpoint
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.inference.batchability import Findings
from tightrope.service.inference.input_columns import with_reference
from tightrope.service.inference.loading.golden_comparison import compare_golden_rows
from tightrope.service.inference.loading.pair_building import build, replan
from tightrope.service.inference.mapping.mapped_model import MappedModel
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.probing.model_probe import probe_model
from tightrope.service.inference.probing.own_noise import MAX_NOISE_ROWS, OwnNoise, measured_noise
from tightrope.service.inference.probing.probe_memory import ProbeMemory
from tightrope.service.inference.row_axes.input_axes import find_axes
from tightrope.service.inference.row_axes.row_layout import RowAxes
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError, row_count
from tightrope.service.inference.row_files.row_reader import read_rows
from tightrope.service.inference.row_files.row_schema import schema_of
from tightrope.service.inference.row_probe import ProbeOptions

Admit = Callable[[ModelPair, Settings], tuple[ModelPair, Settings]]
"""Admits a pair: returns it with its qualification, and the settings with the limits that follow from it."""

Announce = Callable[[str], None]
"""Called with the step that begins: the key, the file, and what is done with it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The findings of a trial in another process: digests of files by their keys, and findings about outputs by role.
    ``axes`` are those of the inputs' rows, where they are not all 0.
    """

    digests: Mapping[str, str]
    findings: Mapping[Role, Findings]
    axes: RowAxes | None = None


def _ignore(_: str) -> None:
    """Announce nothing."""


def build_pair(
    name: str,
    settings: Settings,
    announce: Announce = _ignore,
    trial: Trial | None = None,
    memory: ProbeMemory | None = None,
    admit: Admit | None = None,
) -> ModelPair:
    """Load and check one model. ``announce`` is called before each step that a model file can delay; a ``trial`` in
    another process spares this one the runs on made-up rows, and allows no other files; a ``memory`` spares them to
    files that were probed at an earlier start; ``admit`` refuses a pair that is not qualified.

    Raises:
        ConfigError: with every mistake.
    """
    section = settings.models[name]
    digests: dict[str, str] = {}

    def load(artefact: Path | Endpoint, runtime: RuntimeSection) -> Model:
        key = next(key for key, value in section.artefacts.items() if value is artefact)
        announce(f"models.{name}.{key}: {_address(artefact)}: loading")
        model = load_model(artefact, runtime, trial.digests.get(key) if trial else None)
        digests[key] = model.digest
        return model

    def probe(role: Role, model: Model, outputs: Sequence[str], options: ProbeOptions) -> Findings:
        if trial and role in trial.findings:
            return trial.findings[role]
        artefact, (_, runtime) = getattr(section, role), section.runtime_of(role)
        remembers = memory if isinstance(model, OnnxModel | MappedModel) and not endpoint_of(model) else None
        if remembers and (remembered := remembers.recall(model, runtime, outputs, options)) is not None:
            return remembered
        announce(f"models.{name}.{role}: {_address(artefact)}: a run on made-up rows")
        run = partial(probe_model, model, outputs, options)
        return remembers.probe(model, runtime, outputs, run, options) if remembers else run()

    def axes_of(role: Role, model: Model, decides: str, options: ProbeOptions) -> RowAxes | None:
        return trial.axes if trial else find_axes(role, model, decides, options)

    pair = replace(build(name, settings, load, probe, axes_of), digests=digests)
    if admit:
        announce(f"models.{name}.qualification: runs on the golden answers")
        pair, settings = admit(pair, settings)
        pair = replan(pair, settings) if settings.models[name] is not section else pair
    if section.golden:
        announce(f"models.{name}.golden: {section.golden}: reading")
    rows = golden_rows(pair, settings)
    if rows and section.decision.lacks_tolerance:
        pair = replace(pair, own_noise=_golden_noise(pair, rows) or pair.own_noise)
    if rows is None:
        return pair
    announce(f"models.{name}.golden: {section.golden}: both models run on its rows")
    compared = compare_golden_rows(pair, rows)
    pair = pair if compared is None else replan(pair, settings, compared)
    return replace(pair, plan=with_reference(pair.plan, pair.subgroups, rows))


def _golden_noise(pair: ModelPair, rows: RowFile) -> OwnNoise | None:
    """The noise on the first golden rows, which have equal shapes."""
    inputs = rows.parts[0]
    source = f"{min(row_count(inputs), MAX_NOISE_ROWS)} golden rows"
    together = pair.has_free_rows and not pair.batchability.is_closed
    return measured_noise(pair.models[Role.BASELINE], inputs, pair.output, source, together=together)


def _address(artefact: Path | Endpoint) -> str:
    return str(artefact) if isinstance(artefact, Path) else artefact.endpoint


def load_model(artefact: Path | Endpoint, runtime: RuntimeSection, digest: str | None = None) -> Model:
    """Load an ONNX file, of this digest if one is given, or connect to a model on another server."""
    if isinstance(artefact, Path):
        options = runtime.model_dump(exclude={"execution", "warm_up_rows"})
        return OnnxModel(artefact, RuntimeOptions(**options, parallel=runtime.execution == "parallel"), digest)
    address = EndpointAddress(
        url=artefact.endpoint,
        model=artefact.model,
        version=artefact.version,
        timeout=artefact.timeout_seconds,
        max_rows=artefact.max_rows,
        failures=artefact.failures,
        probe=artefact.probe_seconds,
        required=artefact.required,
        token=secret(artefact.token_file, "token_file") if artefact.token_file else None,
    )
    return connect(address)


def golden_rows(pair: ModelPair, settings: Settings) -> RowFile | None:
    """The reference rows of a model's drift reports; None if the configuration names no file of them.

    Raises:
        ConfigError: when the file cannot be read, or does not fit the model.
    """
    path = settings.models[pair.name].golden
    if path is None:
        return None
    try:
        rows = read_rows(path, schema_of(pair), labelled=False, most=max(settings.reports.reference_rows, 1))
        rows.members(pair.subgroups)
    except RowFileError as error:
        raise ConfigError([f"models.{pair.name}.golden: {error}"]) from error
    return rows
