"""Loading: defaults, every key, paths, and secrets from files and the environment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from docs.key_texts import key_texts
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.compare import Scale, Score
from tightrope.monitors.intake.repeats import Repeats
from tightrope.monitors.records import Role
from tightrope.service.config.loader import SafeModeSection, Settings, load
from tightrope.service.config.models import Endpoint
from tightrope.service.config.runtime import RuntimeSection
from tightrope.service.config.subgroups import Range

MINIMAL = "models: {m: {baseline: b.onnx, compressed: sub/c.onnx}}\n"
WHOLE = """
models:
  m:
    baseline: /models/b.onnx
    compressed: c.onnx
    version: "3.2"
    runtime:
      providers: [CUDAExecutionProvider, CPUExecutionProvider]
      provider_options: {CUDAExecutionProvider: {device_id: 1}}
      threads: 2
      node_threads: 3
      execution: parallel
      optimization: basic
      arena: false
      memory_pattern: false
      warm_up_rows: 16
    compressed_runtime: {threads: 4}
    mode: advisory
    decision: {output: scores, scale: logits}
    subgroups:
      region: {parameter: region, values: [north, south]}
      band: {input: x, column: 3, values: {low: {high: 9}, some: [10, 20], named: [a, b]}}
    limits: {disagreement: 0.05, confidence: null}
    subgroup_limits: {disagreement: 0.2}
    refusal: {score: entropy, threshold: 0.5, compressed_threshold: 0.6, action: abstain}
    sampling: {rate: 0.1, floors: {region=north: 0.5}}
    repeats: inputs
    lanes: 4
    independence: request
    noise_share: 0.25
    latency: {seconds: 0.5, limit: 0.05}
    labels: {horizon_seconds: 60}
alarms: {samples_per_false_alarm: 1.0e+9}
safe_mode:
  {blind_seconds: 9, silent_seconds: 20, when_silent: stay, min_dwell_seconds: 1, flap_window_seconds: 2, max_flaps: 4,
   recovery_ratio: 0.5, recovery_samples: 1000}
server: {host: 0.0.0.0, port: 0, max_body_bytes: 4096, control_token_file: token, readiness: strict}
alerts:
  {alertmanagers: ["http://am:9093", "https://h/am"], labels: {cluster: c}, token_file: am, keep_seconds: 5,
   grace_seconds: 7, runbook: "http://wiki/page", grafana: "http://g", gateway: "http://t",
   grafana_token_file: gt}
state: here
"""


def written(folder: Path, text: str) -> Path:
    """Write a configuration file with this text."""
    path = folder / "tightrope.yaml"
    path.write_text(text)
    return path


def test_minimal_file_gets_every_default(tmp_path: Path) -> None:
    """Two paths are enough; all other keys have the documented defaults."""
    settings = load(written(tmp_path, MINIMAL), {})
    model = settings.models["m"]
    assert (model.version, model.runtime.threads, model.planned_mode, model.sampling.rate) == ("1", 1, "advisory", 1.0)
    assert (model.decision.scale, model.decision.output, model.refusal) == (Scale.PROBABILITIES, None, None)
    assert (model.repeats, model.lanes, model.noise_share) == (Repeats.DISTINCT, 1, 0.01)
    assert (model.latency, model.labels) == (None, None)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.server.max_body_bytes == 16 * 1024 * 1024
    assert (settings.safe_mode.min_dwell_seconds, settings.safe_mode.max_flaps) == (300.0, 3)
    assert settings.safe_mode.blind_seconds == 60.0
    assert settings.alerts.alertmanagers == []
    assert (settings.alerts.keep_seconds, settings.alerts.grace_seconds) == (30.0, 60.0)


def test_every_key_is_loaded(tmp_path: Path) -> None:
    """No key is lost."""
    settings = load(written(tmp_path, WHOLE), {})
    model = settings.models["m"]
    assert (model.version, model.mode) == ("3.2", "advisory")
    run = model.runtime
    assert run.providers == ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert run.provider_options == {"CUDAExecutionProvider": {"device_id": 1}}
    assert (run.threads, run.node_threads, run.execution, run.optimization) == (2, 3, "parallel", "basic")
    assert (run.arena, run.memory_pattern, run.warm_up_rows) == (False, False, 16)
    assert model.runtime_of(Role.BASELINE) == ("runtime", run)
    assert model.runtime_of(Role.COMPRESSED) == ("compressed_runtime", RuntimeSection(threads=4))
    assert (model.decision.output, model.decision.scale) == ("scores", Scale.LOGITS)
    assert model.limits == {"disagreement": 0.05, "confidence": None}
    assert model.subgroup_limits == {"disagreement": 0.2}
    assert model.refusal is not None
    assert (model.refusal.score, model.refusal.threshold) == (Score.ENTROPY, 0.5)
    assert (model.refusal.compressed_threshold, model.refusal.action) == (0.6, "abstain")
    assert (model.sampling.rate, model.sampling.floors) == (0.1, {"region=north": 0.5})
    assert (model.repeats, model.lanes, model.noise_share) == (Repeats.INPUTS, 4, 0.25)
    assert model.latency is not None
    assert (model.latency.seconds, model.latency.limit) == (0.5, 0.05)
    assert model.labels is not None
    assert model.labels.horizon_seconds == 60
    assert settings.alarms.samples_per_false_alarm == 1e9
    assert settings.safe_mode.model_dump() == {
        "blind_seconds": 9,
        "silent_seconds": 20,
        "when_silent": "stay",
        "min_dwell_seconds": 1,
        "flap_window_seconds": 2,
        "max_flaps": 4,
        "recovery_ratio": 0.5,
        "recovery_samples": 1000,
    }
    assert settings.alerts.model_dump() == {
        "alertmanagers": ["http://am:9093", "https://h/am"],
        "labels": {"cluster": "c"},
        "token_file": tmp_path / "am",
        "keep_seconds": 5,
        "grace_seconds": 7,
        "runbook": "http://wiki/page",
        "grafana": "http://g",
        "gateway": "http://t",
        "grafana_token_file": tmp_path / "gt",
    }


def test_every_key_of_the_server_is_loaded(tmp_path: Path) -> None:
    """No key is lost."""
    server = load(written(tmp_path, WHOLE), {}).server
    assert (server.host, server.port, server.max_body_bytes) == ("0.0.0.0", 0, 4096)  # noqa: S104
    assert server.readiness == "strict"


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({}, 120.0),
        ({"blind_seconds": 9}, 18.0),
        ({"blind_seconds": 0}, 0.0),
        ({"blind_seconds": 0, "silent_seconds": 7}, 7.0),
        ({"silent_seconds": 0}, 0.0),
        ({"silent_seconds": 7, "when_silent": "stay"}, 0.0),
    ],
)
def test_silence_limit_is_twice_the_limit_of_blindness(keys: dict[str, Any], seconds: float) -> None:
    """Unless it is set; 0 is never, and so is `stay`."""
    assert SafeModeSection(**keys).silence_limit == seconds


def test_subgroup_values_keep_their_form(tmp_path: Path) -> None:
    """Names, numeric codes, string codes, and half-open ranges."""
    subgroups = load(written(tmp_path, WHOLE), {}).models["m"].subgroups
    assert subgroups["region"].parameter == "region"
    assert subgroups["region"].values == ["north", "south"]
    assert subgroups["region"].cut == (0, {})
    low = Range(high=9)
    assert subgroups["band"].cut == (3, {"low": low, "some": [10.0, 20.0], "named": ["a", "b"]})
    assert (low.low, low.high) == (float("-inf"), 9)


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory does not matter; absolute paths stay."""
    (tmp_path / "elsewhere").mkdir()
    written(tmp_path, WHOLE)
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load(Path("../tightrope.yaml"), {})
    assert settings.models["m"].baseline == Path("/models/b.onnx")
    assert settings.models["m"].compressed == tmp_path / "c.onnx"
    assert settings.state / "file" == tmp_path / "here" / "file"
    assert settings.server.control_token_file == tmp_path / "token"


def test_settings_are_frozen(tmp_path: Path) -> None:
    """They are loaded once and never change."""
    settings = load(written(tmp_path, MINIMAL), {})
    with pytest.raises(ValidationError, match="frozen"):
        settings.state = tmp_path


def texts(section: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Every key of a section and of its subsections, with its text."""
    below = key_texts(section)
    for name, field in section.model_fields.items():
        yield f"{section.__name__}.{name}", below.get(name, "")
        for part in sections(field.annotation):
            yield from texts(part)


def sections(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any type expression
    """The sections in a type expression."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from sections(part)


def test_every_key_is_documented() -> None:
    """docs/configuration.md is made of the fields' texts."""
    keys = dict(texts(Settings))
    assert {"Settings.models", "ModelSection.limits", "SubgroupSection.values", "Range.low", "ServerSection.port"} <= {
        *keys
    }
    assert [name for name, text in keys.items() if not text] == []


def test_every_monitor_may_have_limits(tmp_path: Path) -> None:
    """Under its name in the catalogue."""
    limits = ", ".join(f"{name}: 0.5" for name in CATALOGUE)
    text = f"models: {{m: {{baseline: b, compressed: c, limits: {{{limits}}}, subgroup_limits: {{{limits}}}}}}}"
    model = load(written(tmp_path, text), {}).models["m"]
    assert model.limits == model.subgroup_limits == dict.fromkeys(CATALOGUE, 0.5)


def test_variables_without_the_prefix_are_ignored(tmp_path: Path) -> None:
    """Only names with the prefix TIGHTROPE_ are checked."""
    assert load(written(tmp_path, MINIMAL), {"HOME": "/", "TIGHTROPES": "1", "tightrope_x": "1"}).models


def test_role_may_be_an_endpoint(tmp_path: Path) -> None:
    """With no optional key, and with all of them; the token's file is relative to the configuration."""
    endpoint = "{endpoint: 'https://far:8000/some/path', model: m, version: '2', timeout_seconds: 0.5, max_rows: 8,"
    endpoint += " failures: 1, probe_seconds: 9, required: false, token_file: token}"
    text = f"models: {{m: {{baseline: {endpoint}, compressed: {{endpoint: 'http://[::1]:80', model: c}}}}}}"
    model = load(written(tmp_path, text), {}).models["m"]
    assert model.baseline == Endpoint(
        endpoint="https://far:8000/some/path", model="m", version="2", timeout_seconds=0.5, max_rows=8, failures=1,
        probe_seconds=9, required=False, token_file=tmp_path / "token",
    )  # fmt: skip
    assert isinstance(model.compressed, Endpoint)
    assert (model.compressed.timeout_seconds, model.compressed.required) == (2.0, True)
