"""Loading of a pair: its files or endpoints, the checks, the reference rows, and the findings of a trial, if any."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.adapters.onnxruntime import OnnxModel, RuntimeOptions
from tightrope.service.adapters.open_inference.model import EndpointAddress, connect
from tightrope.service.adapters.ports import Model
from tightrope.service.config.loader import Settings, secret
from tightrope.service.config.models import Endpoint, RuntimeSection
from tightrope.service.inference import golden
from tightrope.service.inference.batchability import Findings
from tightrope.service.inference.loading.pair_building import build
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.probing.model_probe import probe_model
from tightrope.service.inference.probing.probe_memory import ProbeMemory
from tightrope.service.inference.row_axes.input_axes import find_axes
from tightrope.service.inference.row_axes.row_layout import RowAxes

Announce = Callable[[str], None]
"""Called with the step that begins: the key, the file, and what is done with it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The findings of a trial in another process, by role: digests of files, and findings about their outputs.
    ``axes`` are those of the inputs' rows, where they are not all 0.
    """

    digests: Mapping[Role, str]
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
) -> ModelPair:
    """Load and check one model. ``announce`` is called before each step that a model file can delay; a ``trial`` in
    another process spares this one the runs on made-up rows, and allows no other files; a ``memory`` spares them to
    files that were probed at an earlier start.

    Raises:
        ConfigError: with every mistake.
    """
    section = settings.models[name]

    def load(artefact: Path | Endpoint, runtime: RuntimeSection) -> Model:
        role = next(role for role in Role if getattr(section, role) is artefact)
        announce(f"models.{name}.{role}: {_address(artefact)}: loading")
        return load_model(artefact, runtime, trial.digests.get(role) if trial else None)

    def probe(role: Role, model: Model, outputs: Sequence[str]) -> Findings:
        if trial and role in trial.findings:
            return trial.findings[role]
        artefact, (_, runtime) = getattr(section, role), section.runtime_of(role)
        remembers = memory if isinstance(model, OnnxModel) else None  # not one that is mapped for its pair
        if remembers and (remembered := remembers.recall(model, runtime, outputs)) is not None:
            return remembered
        announce(f"models.{name}.{role}: {_address(artefact)}: a run on made-up rows")
        run = partial(probe_model, model, outputs)
        return remembers.probe(model, runtime, outputs, run) if remembers else run()

    def axes_of(role: Role, model: Model, decides: str) -> RowAxes | None:
        return trial.axes if trial else find_axes(role, model, decides)

    pair = build(name, settings, load, probe, axes_of)
    if section.golden:
        announce(f"models.{name}.golden: {section.golden}: reading")
    golden_rows(pair, settings)
    return pair


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


def golden_rows(pair: ModelPair, settings: Settings) -> golden.GoldenRows | None:
    """The reference rows of a model's drift reports; None if the configuration names no file of them.

    Raises:
        ConfigError: when the file does not fit the model.
    """
    path = settings.models[pair.name].golden
    if path is None:
        return None
    max_rows = max(settings.reports.reference_rows, 1)
    return golden.read_golden(path, f"models.{pair.name}.golden", pair.inputs, pair.subgroups, max_rows)
