"""The whole configuration: one YAML file, read once and validated before anything starts.

A field's text gives its meaning and unit; docs/configuration.md is made of them. Secrets come from files that the
configuration names, or from the environment; the configuration holds none. Only this module reads the environment. An
unknown TIGHTROPE_ variable is an error, since it is most likely misspelt.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tightrope.service.adapters.secret_file import secret_text
from tightrope.service.config.kafka import SECRET_OPTIONS, BusSection, KafkaSection
from tightrope.service.config.models import ModelSection
from tightrope.service.config.process.alerts import AlertsSection
from tightrope.service.config.process.candidates import CandidatesSection
from tightrope.service.config.process.logs import LogsSection
from tightrope.service.config.process.reports import ReportsSection
from tightrope.service.config.process.server import ServerSection
from tightrope.service.config.process.telemetry import TelemetrySection
from tightrope.service.config.section import FORM_TAG_PREFIX, KEY_OF_A_MAP, Name, Section
from tightrope.service.config.state import RecordSection, StateSection
from tightrope.service.config.suggestions import unknown_key
from tightrope.service.errors import TightropeError, quote

SectionT = TypeVar("SectionT", bound=Section)

TOKEN_VARIABLE = "TIGHTROPE_CONTROL_TOKEN"  # noqa: S105 - a variable's name
INSTANCE_VARIABLE = "TIGHTROPE_INSTANCE"
DRAW_VARIABLE = "TIGHTROPE_DRAW_SECRET"
DRAW_SECRET_DIGITS = 64
"""Hexadecimal digits of the secret of the draws."""

PASSWORD_VARIABLES = {"password_file": "TIGHTROPE_KAFKA_PASSWORD", "ssl_password_file": "TIGHTROPE_KAFKA_SSL_PASSWORD"}
ENVIRONMENT = frozenset({TOKEN_VARIABLE, INSTANCE_VARIABLE, DRAW_VARIABLE, *PASSWORD_VARIABLES.values()})


CLIENT_FILE_OPTIONS = frozenset({"ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile"})
"""Options of the Kafka client whose value is the path of a file."""


class ConfigError(TightropeError):
    """The configuration is invalid; ``problems`` has one line for each error."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class AlarmsSection(Section):
    """The guarantee on false alarms."""

    samples_per_false_alarm: Annotated[float, Field(ge=1e3, le=1e15)] = 3.15e8
    """At most one false alarm in this many samples, over all monitors of a model. The default is 10/s for a year."""


class SafeModeSection(Section):
    """How a scope enters safe mode and returns from it."""

    blind_seconds: Annotated[float, Field(ge=0)] = 60.0
    """Seconds of traffic without a judged row after which the baseline answers, because there is no evidence that the
    compressed model is safe; each gateway measures it by its own clock, besides the judge. 0: never.
    """
    silent_seconds: Annotated[float, Field(ge=0)] | None = None
    """Seconds without a word of a model's judge after which a gateway of a cluster acts as `when_silent` says; twice
    `blind_seconds` if left out. 0: never.
    """
    when_silent: Literal["baseline", "stay"] = "baseline"
    """baseline: the baseline answers until the judge is heard again. stay: the modes stay as they are, so that a
    harmful compressed model goes on answering where no row is kept; at a start no mode is trusted either way.
    """
    min_dwell_seconds: Annotated[float, Field(ge=0)] = 300.0
    """Minimum time in safe mode."""
    flap_window_seconds: Annotated[float, Field(ge=0)] = 86_400.0
    """A breach within this time after a return is a flap: the next return needs tenfold evidence."""
    max_flaps: Annotated[int, Field(ge=1)] = 3
    """After this many flaps the scope latches: an operator must release it."""
    recovery_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """A scope returns on evidence that the rate is below this share of the limit."""
    recovery_samples: Annotated[float, Field(ge=10)] = 1e5
    """At most one false return in this many shadowed samples."""

    @property
    def silence_limit(self) -> float:
        """The seconds without a word of a judge after which the baseline answers; 0 if it never does."""
        if self.when_silent == "stay":
            return 0.0
        return 2 * self.blind_seconds if self.silent_seconds is None else self.silent_seconds


class Settings(Section):
    """The whole configuration file."""

    models: Annotated[dict[Name, ModelSection], Field(min_length=1)]
    """The model pairs to serve, by the name that callers use."""
    alarms: AlarmsSection = Field(default_factory=AlarmsSection)
    """The guarantee on false alarms."""
    safe_mode: SafeModeSection = Field(default_factory=SafeModeSection)
    """How a scope enters safe mode and returns from it."""
    reports: ReportsSection = Field(default_factory=ReportsSection)
    """Drift reports."""
    server: ServerSection = Field(default_factory=ServerSection)
    """Where the gateway listens."""
    candidates: CandidatesSection = Field(default_factory=CandidatesSection)
    """How a model file is tried before it serves."""
    alerts: AlertsSection = Field(default_factory=AlertsSection)
    """Direct notification of Alertmanager."""
    logs: LogsSection = Field(default_factory=LogsSection)
    """The log."""
    telemetry: TelemetrySection = Field(default_factory=TelemetrySection)
    """Spans of requests for an OpenTelemetry collector."""
    bus: BusSection | None = None
    """The log between gateways, workers and judges; in the memory of a single process if left out."""
    sampling_secret_file: Path | None = None
    """A file with the secret that sampling is keyed by, 64 hexadecimal digits as `openssl rand -hex 32` prints; or set
    TIGHTROPE_DRAW_SECRET. All replicas need the same one. Without both a process makes one in its state folder.
    """
    state: StateSection = Field(default_factory=StateSection)
    """The state folder, and how long the audit trail is kept in it."""
    record: RecordSection | None = Field(default_factory=RecordSection)
    """The record of the judgement, from which incidents are replayed. `record: null` records nothing."""
    state_required: bool = False
    """Refuse a start that finds no earlier state, as when the folder's volume is not mounted. In a cluster a model
    without a state begins in safe mode. Set it after the first start.
    """


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate a configuration file, and resolve its relative paths against the file's folder.

    Raises:
        ConfigError: with one line for each error: the file, the key, the value and the valid values.
    """
    unknown = sorted(name for name in environ if name.startswith("TIGHTROPE_") and name not in ENVIRONMENT)
    problems = [
        f"{name}: no such setting; the environment may set {', '.join(sorted(ENVIRONMENT))}" for name in unknown
    ]
    try:
        settings = Settings.model_validate(read_document(path))
    except ValidationError as error:
        raise ConfigError(problems + [_line(path, dict(e)) for e in error.errors()]) from None
    problems += [
        f"models.{name}.qualification.requalify_days: {problem}"
        for name, model in settings.models.items()
        if model.qualification and model.qualification.requalify_days
        if (problem := _unkept_rows(settings)) is not None
    ]
    if problems:
        raise ConfigError(problems)
    return resolve_settings(settings, folder_of(path))


def _unkept_rows(settings: Settings) -> str | None:
    """Say why no rows of traffic are kept that a model could be qualified by; None if they are."""
    if settings.bus is not None:
        return "needs the embedded bus, because a cluster keeps no rows: leave bus out, or leave requalify_days out"
    if not (settings.reports.keep_rows and settings.reports.row_bytes):
        return "needs kept rows: set reports.keep_rows, e.g. to 50000, and leave reports.row_bytes above 0"
    return None


def control_token(settings: Settings, environ: Mapping[str, str] = os.environ) -> str | None:
    """The bearer token of the control API, or None.

    Raises:
        ConfigError: when its file cannot be read, or it is no token.
    """
    return _secret(settings.server.control_token_file, "server.control_token_file", environ, TOKEN_VARIABLE)


def operator_token(file: Path | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The bearer token of another installation's control API: that of a file, or of the environment, or None.

    Raises:
        ConfigError: when the file cannot be read, or it is no token.
    """
    return _secret(file, "--token-file", environ, TOKEN_VARIABLE)


def kafka_secrets(kafka: KafkaSection, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The passwords for the Kafka client, by the client's option names.

    Raises:
        ConfigError: when the file of a password cannot be read, or holds none.
    """
    secrets = {
        option: _secret(getattr(kafka, key), f"bus.kafka.{key}", environ, PASSWORD_VARIABLES[key])
        for option, key in SECRET_OPTIONS.items()
    }
    return {option: value for option, value in secrets.items() if value}


def draw_secret(settings: Settings, environ: Mapping[str, str] = os.environ) -> bytes | None:
    """The secret that sampling is keyed by; None if the configuration has none.

    Raises:
        ConfigError: when its file cannot be read, or it is no secret of this form.
    """
    key = "sampling_secret_file" if settings.sampling_secret_file else DRAW_VARIABLE
    text = _secret(settings.sampling_secret_file, key, environ, DRAW_VARIABLE)
    if text is None:
        return None
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if 2 * len(found) != DRAW_SECRET_DIGITS:
        source = f"{key}: {settings.sampling_secret_file}" if settings.sampling_secret_file else key
        raise ConfigError(
            [f"{source}: must be {DRAW_SECRET_DIGITS} hexadecimal digits, as `openssl rand -hex 32` prints"]
        )
    return found


def kafka_instance(kafka: KafkaSection, environ: Mapping[str, str] = os.environ) -> str | None:
    """The static name of this process in its consumer group, or None."""
    return environ.get(INSTANCE_VARIABLE) or kafka.instance


def _secret(file: Path | None, key: str, environ: Mapping[str, str], variable: str) -> str | None:
    """The content of a file, or the value of an environment variable where no file is configured."""
    if file is not None:
        return secret(file, key)
    value = environ.get(variable)
    return _text(value.encode(errors="surrogateescape"), variable) if value else None


def secret(file: Path, key: str) -> str:
    """The token or password in a file that the configuration names under ``key``.

    Raises:
        ConfigError: when the file cannot be read, or holds none.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError([f"{key}: {file}: {error.strerror}"]) from error
    return _text(content, f"{key}: {file}")


def _text(content: bytes, source: str) -> str:
    try:
        return secret_text(content)
    except ValueError as error:
        raise ConfigError([f"{source}: {error}"]) from None


def read_document(path: Path) -> object:
    """The content of a configuration file, before it is validated.

    Raises:
        ConfigError: when it cannot be read, or is no map in YAML.
    """
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: not YAML: {' '.join(str(error).split())[:300]}"]) from error
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: must be a map that starts with models:"])
    return document


def _line(path: Path, error: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"] if not str(part).startswith((FORM_TAG_PREFIX, KEY_OF_A_MAP)))
    message = "must be a map" if error["type"] == "model_type" else error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{path}: {key}: {unknown_key(Settings, error['loc'])}"
    names_itself = error["type"] == "missing" or (error["type"] == "value_error" and isinstance(error["input"], dict))
    shown = "" if names_itself else f" (it is {quote(error['input'])})"
    return f"{path}: {key or 'top level'}: {message[:1].lower()}{message[1:]}{shown}"


def folder_of(path: Path) -> Path:
    """The folder of the file as its path is written: links, as Kubernetes and releases use them, may lead elsewhere
    tomorrow. Only the way to it through `..` is followed at once.
    """
    folder = path.parent.absolute()
    return folder.resolve() if ".." in folder.parts else folder


def resolve_settings(settings: Settings, folder: Path) -> Settings:
    """Resolve the relative paths in settings against a folder."""
    models = {name: model.resolved(folder) for name, model in settings.models.items()}
    changed = {
        "server": settings.server.resolved(folder),
        "alerts": _resolved(settings.alerts, folder, "token_file", "grafana_token_file"),
        "sampling_secret_file": folder / file if (file := settings.sampling_secret_file) else None,
        "state": _resolved(settings.state, folder, "folder"),
        "bus": settings.bus and BusSection(kafka=_resolved_kafka(settings.bus.kafka, folder)),
    }
    return settings.model_copy(update={"models": models, **changed})


def _resolved_kafka(kafka: KafkaSection, folder: Path) -> KafkaSection:
    """Resolve the files that the client and the section of signatures name, too."""
    signing = kafka.signing and _resolved(kafka.signing, folder, "secret_file", "previous_secret_file")
    client = {name: str(folder / str(v)) if name in CLIENT_FILE_OPTIONS else v for name, v in kafka.client.items()}
    return _resolved(kafka, folder, *SECRET_OPTIONS.values()).model_copy(update={"client": client, "signing": signing})


def _resolved(section: SectionT, folder: Path, *names: str) -> SectionT:
    """Resolve the paths in these fields of a section."""
    return section.model_copy(update={name: folder / file for name in names if (file := getattr(section, name))})
