"""The configuration: one YAML file, read once, checked whole. Every field says what it means, in which unit.

Secrets never stand in the file: they come from files it names, or from the environment. This is the only module that
reads the environment, and a TIGHTROPE_ variable that nothing reads is an error, because it is a misspelt one.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tightrope.service.config.kafka import SECRETS, Bus, Kafka
from tightrope.service.config.models import MARK, Endpoint, Model, Name, Section
from tightrope.service.errors import TightropeError, quote

Address = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+(/[^\s/?#]+)*$")]
"""Of a server, without the last slash."""

LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]

SomeSection = TypeVar("SomeSection", bound=Section)

TOKEN_VARIABLE = "TIGHTROPE_CONTROL_TOKEN"  # noqa: S105 - a variable's name
INSTANCE_VARIABLE = "TIGHTROPE_INSTANCE"
PASSWORD_VARIABLES = {"password_file": "TIGHTROPE_KAFKA_PASSWORD", "ssl_password_file": "TIGHTROPE_KAFKA_SSL_PASSWORD"}
ENVIRONMENT = frozenset({TOKEN_VARIABLE, INSTANCE_VARIABLE, *PASSWORD_VARIABLES.values()})


CLIENT_FILES = frozenset({"ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile"})
"""Options of the Kafka client that name a file."""


class ConfigError(TightropeError):
    """The configuration cannot be used; ``problems`` has one line for every mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Alarms(Section):
    """What is promised of false alarms."""

    samples_per_false_alarm: Annotated[float, Field(ge=1e3, le=1e15)] = 3.15e8
    """At most one false alarm in so many samples, all monitors of a model together: 10 a second for a year."""


class SafeMode(Section):
    """How a scope goes to safe mode, and comes back."""

    blind_seconds: Annotated[float, Field(ge=0)] = 60.0
    """After so much traffic without a comparison nobody knows if a model is safe: the baseline answers. 0: never."""

    min_dwell_seconds: Annotated[float, Field(ge=0)] = 300.0
    """It stays at least so long."""
    flap_window_seconds: Annotated[float, Field(ge=0)] = 86_400.0
    """A breach so soon after a return is a flap: the next return needs tenfold evidence."""
    max_flaps: Annotated[int, Field(ge=1)] = 3
    """With so many flaps the scope latches: a person must act."""
    recovery_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """It returns on evidence that the rate lies below this share of the limit."""
    recovery_samples: Annotated[float, Field(ge=10)] = 1e5
    """At most one false return in so many shadowed samples."""


class Reports(Section):
    """Drift reports for people to read, and the compared rows that they are made of; see docs/reports.md."""

    keep_rows: Annotated[int, Field(ge=0)] = 0
    """The newest compared rows of each model that are kept in the state folder, inputs as callers sent them: 0 keeps
    none, and then there are no reports; 50000 is plenty.
    """
    reference_rows: Annotated[int, Field(ge=0)] = 5_000
    """What newer rows are compared with: the first so many of each model, kept apart, or of its golden rows."""
    window_rows: Annotated[int, Field(ge=1)] = 5_000
    """The newest rows that a report is about."""
    every_seconds: Annotated[float, Field(ge=1)] | None = None
    """Make a report so often, in a process of its own; only when somebody asks if left out."""
    keep: Annotated[int, Field(ge=1)] = 20
    """Reports of each model that are kept."""

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.every_seconds is not None and not self.keep_rows:
            raise ValueError("every_seconds needs rows to report about: set keep_rows, e.g. to 50000")
        return self


class Server(Section):
    """Where the gateway listens, and what it takes."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """The port; 0 picks a free one."""
    grpc_port: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """The port for gRPC; 0 picks a free one. None if left out; otherwise it needs the extra `grpc`."""
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes of `tightrope serve` that share the port; see docs/cluster.md."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    """A larger request is refused before it is read."""
    control_token_file: Path | None = None
    """A file with the bearer token of the control API; or set TIGHTROPE_CONTROL_TOKEN. Without either it is off."""


class Alerts(Section):
    """Safe mode told to Alertmanager at once, in the words of the evidence; see docs/operations.md."""

    alertmanagers: list[Address] = Field(default_factory=list)
    """The addresses of all Alertmanagers, such as http://alertmanager:9093; without one only Prometheus tells."""
    labels: dict[LabelName, str] = Field(default_factory=dict)
    """On every alert: the external labels of your Prometheus, so that its alert and this one are the same."""
    token_file: Path | None = None
    """A file with a bearer token for the Alertmanagers."""
    keep_seconds: Annotated[float, Field(ge=0.1)] = 30.0
    """An alert that stands is told again so often; after four times as long without that it ends by itself."""
    grace_seconds: Annotated[float, Field(ge=0)] = 60.0
    """After a return an alert ends so much later: Prometheus must have seen it by then, or it would raise it again."""
    runbook: Address = "https://runbooks.example.org/tightrope"
    """Where you keep dashboards/runbook.md: alerts point to it."""
    grafana: Address = "https://grafana.example.org"
    """The address of your Grafana: alerts point to it."""
    gateway: Address = "https://tightrope.example.org"
    """The address of Tightrope as people reach it: alerts point to the newest drift report there."""
    grafana_token_file: Path | None = None
    """A file with the token of a service account of Grafana: with one, safe mode is marked on its dashboards."""


class Settings(Section):
    """The whole file."""

    models: Annotated[dict[Name, Model], Field(min_length=1)]
    """The pairs to serve, by the name that callers use."""
    alarms: Alarms = Field(default_factory=Alarms)
    """What is promised of false alarms."""
    safe_mode: SafeMode = Field(default_factory=SafeMode)
    """How a scope comes back from safe mode."""
    reports: Reports = Field(default_factory=Reports)
    """Drift reports."""
    server: Server = Field(default_factory=Server)
    """Where the gateway listens."""
    alerts: Alerts = Field(default_factory=Alerts)
    """Safe mode told to Alertmanager at once."""
    bus: Bus | None = None
    """The log between gateways, workers and judges; in the memory of the one process if left out."""
    state: Path = Path("state")
    """The folder where verdicts, modes and events survive a restart, relative to this file."""


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check a configuration file; relative paths in it become relative to the file.

    Raises:
        ConfigError: naming every mistake, each in one line with the file, the key, the value and what would be right.
    """
    unread = sorted(name for name in environ if name.startswith("TIGHTROPE_") and name not in ENVIRONMENT)
    problems = [f"{name}: no such setting; the environment may set {', '.join(sorted(ENVIRONMENT))}" for name in unread]
    try:
        settings = Settings.model_validate(_read(path))
    except ValidationError as error:
        raise ConfigError(problems + [_line(path, dict(e)) for e in error.errors()]) from None
    if problems:
        raise ConfigError(problems)
    return _rooted(settings, path.resolve().parent)


def control_token(settings: Settings, environ: Mapping[str, str] = os.environ) -> str | None:
    """The bearer token of the control API, or None when there is none.

    Raises:
        ConfigError: when the file that should hold it cannot be read, or is empty.
    """
    return _secret(settings.server.control_token_file, "server.control_token_file", environ.get(TOKEN_VARIABLE))


def kafka_secrets(kafka: Kafka, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The passwords that the Kafka client needs, by its names for them.

    Raises:
        ConfigError: when a file that should hold one cannot be read, or is empty.
    """
    given = {
        option: _secret(getattr(kafka, key), f"bus.kafka.{key}", environ.get(PASSWORD_VARIABLES[key]))
        for option, key in SECRETS.items()
    }
    return {option: found for option, found in given.items() if found}


def kafka_instance(kafka: Kafka, environ: Mapping[str, str] = os.environ) -> str | None:
    """The name that this process keeps over restarts, if it has one."""
    return environ.get(INSTANCE_VARIABLE) or kafka.instance


def _secret(file: Path | None, key: str, otherwise: str | None) -> str | None:
    """What a file holds; without a file, what the environment has."""
    return otherwise or None if file is None else secret(file, key)


def secret(file: Path, key: str) -> str:
    """What a file holds that the configuration names under ``key``: a token, a password.

    Raises:
        ConfigError: when the file cannot be read, or is empty.
    """
    try:
        found = file.read_text().strip()
    except OSError as error:
        raise ConfigError([f"{key}: {file}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{key}: {file}: is not text; it should hold the secret"]) from error
    if not found:
        raise ConfigError([f"{key}: {file}: is empty; it should hold the secret"])
    return found


def _read(path: Path) -> object:
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
    key = ".".join(str(part) for part in error["loc"] if not str(part).startswith(MARK))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{path}: {key}: there is no such key"
    shown = "" if error["type"] == "missing" else f" (it is {quote(error['input'])})"
    return f"{path}: {key or 'top level'}: {message[:1].lower()}{message[1:]}{shown}"


def _rooted(settings: Settings, folder: Path) -> Settings:
    models = {
        name: model.model_copy(
            update={
                "baseline": _artefact(model.baseline, folder),
                "compressed": _artefact(model.compressed, folder),
                "golden": folder / model.golden if model.golden else None,
            }
        )
        for name, model in settings.models.items()
    }
    changed = {
        "server": _placed(settings.server, folder, "control_token_file"),
        "alerts": _placed(settings.alerts, folder, "token_file", "grafana_token_file"),
        "bus": settings.bus and Bus(kafka=_rooted_kafka(settings.bus.kafka, folder)),
    }
    return settings.model_copy(update={"models": models, "state": folder / settings.state, **changed})


def _rooted_kafka(kafka: Kafka, folder: Path) -> Kafka:
    """Files that the client reads lie beside the configuration too."""
    client = {name: str(folder / str(v)) if name in CLIENT_FILES else v for name, v in kafka.client.items()}
    return _placed(kafka, folder, *SECRETS.values()).model_copy(update={"client": client})


def _placed(section: SomeSection, folder: Path, *names: str) -> SomeSection:
    """A section with the files that it names where they are."""
    return section.model_copy(update={name: folder / file for name in names if (file := getattr(section, name))})


def _artefact(artefact: Path | Endpoint, folder: Path) -> Path | Endpoint:
    return folder / artefact if isinstance(artefact, Path) else _placed(artefact, folder, "token_file")
