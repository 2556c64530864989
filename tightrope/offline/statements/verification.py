"""`tightrope verify`: the judgement about each model's bundle, from the files alone; nothing is served."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tightrope.monitors.records import Role
from tightrope.service.adapters.model_files import ModelFileError, find_files
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.models import ModelSection
from tightrope.service.config.qualification import QualificationSection
from tightrope.service.routing.statement_fit import configuration_objections, looser_limits, statement_limits
from tightrope.service.statements.bundle import StatementFileError, read_bundle
from tightrope.service.statements.examination import QUALIFIED, Examination, examine
from tightrope.service.statements.kept_dissents import DISSENTS_FILE, read_dissents
from tightrope.service.statements.keys import TrustError, load_trust
from tightrope.service.statements.text import one_line
from tightrope.wiring.candidates.trial import tried_pair


@dataclass(frozen=True, slots=True)
class Verified:
    """The judgement about one model. ``key`` is that of its section, ``file`` its bundle; ``mistakes`` are limits of
    the configuration that are looser than the statement's, each with its key.
    """

    key: str
    file: Path
    examination: Examination
    mistakes: Sequence[str] = ()

    @property
    def holds(self) -> bool:
        """Whether the gate would let the model serve, but for the answers of the host."""
        return self.examination.holds and not self.mistakes

    @property
    def lines(self) -> Sequence[str]:
        """The reasons against serving it, each with the key and the file."""
        return [*(f"{self.key}: {self.file}: {reason}" for reason in self.examination.reasons), *self.mistakes]


def verify(settings: Settings, model: str | None, now: datetime) -> dict[str, Verified]:
    """Judge the bundles of all models that have a qualification, or of one.

    Raises:
        ConfigError: when no model has one, or when keys or models cannot be read.
    """
    if model is not None and model not in settings.models:
        raise ConfigError([f"--model: {model!r} is not one of {', '.join(settings.models)}"])
    names = [name for name in settings.models if model in (None, name)]
    sections = {name: section for name in names if (section := settings.models[name].qualification) is not None}
    if not sections:
        raise ConfigError([f"models.{names[0]}.qualification: is missing, so there is nothing to verify"])
    return {name: _verify_one(name, settings, section, now) for name, section in sections.items()}


def summary(examination: Examination) -> str:
    """One line about a statement that holds: its verdict and end, who approved it, and what is withheld."""
    if examination.signed is None:
        return ""
    predicate = examination.signed.statement.predicate
    names = [f"{one_line(each.name)} ({one_line(each.role)})" for each in examination.opinions]
    accepted = "" if predicate.result.verdict == QUALIFIED else " (accepted)"
    parts = [
        f"{predicate.result.verdict}{accepted} until {predicate.made.expires.astimezone(UTC).date()}",
        f"approved by {', '.join(names)}" if names else "no keys are configured, so no approval is checked",
    ]
    if examination.withheld:
        parts.append(f"withheld: {', '.join(map(one_line, sorted(examination.withheld)))}")
    return "; ".join(parts)


def describe_judgement(verified: Verified) -> dict[str, Any]:
    """The judgement as JSON."""
    examination, signed = verified.examination, verified.examination.signed
    predicate = signed.statement.predicate if signed else None
    return {
        "ok": verified.holds,
        "file": str(verified.file),
        "reasons": [*examination.reasons, *verified.mistakes],
        "statement": signed.digest if signed else None,
        "verdict": predicate.result.verdict if predicate else None,
        "expires": predicate.made.expires.isoformat() if predicate else None,
        "withheld": sorted(examination.withheld),
        "opinions": [
            {
                "role": each.role,
                "name": each.name,
                "decision": each.opinion.decision,
                "note": each.opinion.note,
                "at": each.opinion.at.isoformat(),
            }
            for each in examination.opinions
        ],
    }


def _verify_one(name: str, settings: Settings, section: QualificationSection, now: datetime) -> Verified:
    key = f"models.{name}.qualification"
    if section.file is None:
        raise ConfigError([f"{key}.file: is missing; an endpoint has no folder in which the bundle could stand"])
    try:
        trust = load_trust(section.keys, section.needed_approvals)
        bundle = read_bundle(section.file, read_dissents(settings.state.folder / DISSENTS_FILE))
        expected = expected_digests(name, settings)
    except TrustError as error:
        raise ConfigError([f"{key}.{problem}" for problem in error.problems]) from error
    except (StatementFileError, ModelFileError) as error:
        return Verified(key, section.file, Examination([str(error)]))
    return _fitted(name, settings, Verified(key, section.file, examine(bundle, expected, trust, now)))


def _fitted(name: str, settings: Settings, verified: Verified) -> Verified:
    """The judgement, with what the configuration has otherwise than the statement was made for, as the gate adds it."""
    found, section = verified.examination, settings.models[name]
    if found.signed is None:
        return verified
    predicate = found.signed.statement.predicate
    objections = configuration_objections(section, predicate, found.withheld)
    looser = looser_limits(name, section, *statement_limits(predicate.criteria))
    return replace(verified, examination=replace(found, reasons=[*found.reasons, *objections]), mistakes=list(looser))


def expected_digests(name: str, settings: Settings) -> Mapping[str, str]:
    """The digests of a model's roles, as the gateway has them. Files are only loaded where a mapping is part of them.

    Raises:
        ModelFileError: when a file cannot be read.
        ConfigError: when a model with a mapping cannot be loaded.
    """
    section = settings.models[name]
    plain = dict(_plain_digests(section))
    if len(plain) == len(Role):
        return plain
    return {str(role): model.digest for role, model in tried_pair(name, settings, enforced=False).models.items()}


def _plain_digests(section: ModelSection) -> Iterator[tuple[str, str]]:
    """The digests of the roles that are files without a written mapping."""
    for role, tensors in section.tensors.items():
        artefact = getattr(section, role)
        if isinstance(artefact, Path) and tensors.is_empty and not tensors.graphs:
            yield str(role), find_files(artefact).digest
