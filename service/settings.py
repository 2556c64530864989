"""The configuration: one YAML file, read once, checked whole. Every field says what it means, in which unit.

Secrets never stand in the file: they come from files it names, or from the environment. This is the only module that
reads the environment, and a TIGHTROPE_ variable that nothing reads is an error, because it is a misspelt one.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from monitors.catalogue import CATALOGUE
from monitors.compare import Scale, Score
from monitors.detector import HIGHEST_RATE, RATIOS
from service.errors import TightropeError, quote

TOKEN_VARIABLE = "TIGHTROPE_CONTROL_TOKEN"  # noqa: S105 - a variable's name
ENVIRONMENT = frozenset({TOKEN_VARIABLE})
NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"

MARK = "<"
"""Begins the tag of a form that a key may be written in: no name does, so tags can be told from keys."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Limit = Annotated[float, Field(gt=0, lt=HIGHEST_RATE / min(RATIOS))]
Name = Annotated[str, Field(pattern=NAME)]


class ConfigError(TightropeError):
    """The configuration cannot be used; ``problems`` has one line for every mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


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


class Model(Section):
    """One pair: a compressed model and its uncompressed baseline."""

    baseline: Path
    """The uncompressed model's ONNX file, relative to this configuration file."""
    compressed: Path
    """The compressed model's ONNX file."""
    version: Name = "1"
    """The version that the protocol shows."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """onnxruntime threads of one call."""
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
    golden: Path | None = None
    """A CSV of input rows that drift reports compare with; the first rows that were compared if left out."""

    @field_validator("limits", "subgroup_limits")
    @classmethod
    def _known(cls, limits: dict[str, float | None]) -> dict[str, float | None]:
        unknown = sorted(set(limits) - set(CATALOGUE))
        if unknown:
            raise ValueError(f"there is no monitor {unknown[0]!r}; there are {', '.join(CATALOGUE)}")
        return limits


class Alarms(Section):
    """What is promised of false alarms."""

    samples_per_false_alarm: Annotated[float, Field(ge=1e3, le=1e15)] = 3.15e8
    """At most one false alarm in so many samples, all monitors of a model together: 10 a second for a year."""


class SafeMode(Section):
    """How a scope comes back from safe mode."""

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

    keep_rows: Annotated[int, Field(ge=0)] = 50_000
    """The newest compared rows of each model that are kept in the state folder, inputs included; 0 keeps none."""
    reference_rows: Annotated[int, Field(ge=0)] = 5_000
    """What newer rows are compared with: the first so many of each model, kept apart, or of its golden rows."""
    window_rows: Annotated[int, Field(ge=1)] = 5_000
    """The newest rows that a report is about."""
    every_seconds: Annotated[float, Field(ge=1)] | None = None
    """Make a report so often, in a process of its own; only when somebody asks if left out."""
    keep: Annotated[int, Field(ge=1)] = 20
    """Reports of each model that are kept."""


class Server(Section):
    """Where the gateway listens, and what it takes."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    """The port; 0 picks a free one."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    """A larger request is refused before it is read."""
    control_token_file: Path | None = None
    """A file with the bearer token of the control API; or set TIGHTROPE_CONTROL_TOKEN. Without either it is off."""


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
    state: Path = Path("state")
    """The folder where verdicts, modes and events survive a restart, relative to this file."""


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check a configuration file; relative paths in it become relative to the file.

    Raises:
        ConfigError: naming every mistake, each in one line with the file, the key, the value and what would be right.
    """
    unread = sorted(name for name in environ if name.startswith("TIGHTROPE_") and name not in ENVIRONMENT)
    problems = [f"{name}: no such setting; the environment may set {', '.join(ENVIRONMENT)}" for name in unread]
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
    file = settings.server.control_token_file
    if file is None:
        return environ.get(TOKEN_VARIABLE) or None
    try:
        token = file.read_text().strip()
    except OSError as error:
        raise ConfigError([f"server.control_token_file: {file}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"server.control_token_file: {file}: is not text; it should hold the token"]) from error
    if not token:
        raise ConfigError([f"server.control_token_file: {file}: is empty; it should hold the token"])
    return token


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
                "baseline": folder / model.baseline,
                "compressed": folder / model.compressed,
                "golden": folder / model.golden if model.golden else None,
            }
        )
        for name, model in settings.models.items()
    }
    token = settings.server.control_token_file
    server = settings.server.model_copy(update={"control_token_file": folder / token if token else None})
    return settings.model_copy(update={"models": models, "state": folder / settings.state, "server": server})
