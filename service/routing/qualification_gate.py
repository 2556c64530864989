"""The gate: whether a statement of qualification lets a pair serve, with these files and this configuration.

How it works. The bundle is read and judged for the digests of the loaded models (`statements.examination`). A statement
that was found is then compared with the configuration: it was made for a refusal and for subgroups, and its limits are
the loosest that the configuration may have. Limits that the configuration does not write are those of the statement.
What is missing, unreadable or unknown speaks against serving.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.config.models import ModelSection
from tightrope.service.config.qualification import QualificationSection
from tightrope.service.routing.statement_fit import configuration_objections, looser_limits, statement_limits
from tightrope.service.statements.bundle import SignedStatement, StatementFileError, is_there, read_bundle
from tightrope.service.statements.examination import examine
from tightrope.service.statements.kept_dissents import keep_dissents, read_dissents
from tightrope.service.statements.keys import TrustError, load_trust
from tightrope.service.statements.qualification import (
    QualificationPredicate,
    QualificationStatement,
)

ANY_HOST = "conform"
"""The setting of `host_classes` with which every host serves that reproduces the golden answers."""


NO_VERDICT = "unqualified"
"""The verdict of a model that no statement lets serve."""


@dataclass(frozen=True, slots=True)
class Qualification:
    """The finding of the gate about a pair. ``objections`` speak against serving it, a line each without the file;
    ``mistakes`` are those of the configuration, with their keys. ``limits`` and ``subgroup_limits`` are the statement's
    where the configuration is silent; ``withheld`` are scopes that begin in safe mode; ``distances`` are those of each
    role's answers from the golden ones. Where it ``falls_back_at_expiry`` the baseline answers after the statement's
    expiry; ``new_host_class`` names this host's class where it is not that of the statement.
    """

    model: str
    file: Path | None
    signed: SignedStatement[QualificationStatement] | None = None
    objections: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    subgroup_limits: Mapping[str, float] = field(default_factory=dict)
    distances: Mapping[Role, float] = field(default_factory=dict)
    is_required: bool = True
    falls_back_at_expiry: bool = False
    new_host_class: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the compressed model must not serve."""
        return self.is_required and bool(self.objections)

    @property
    def block_reason(self) -> str:
        """The reason why the compressed model must not serve, with the file's name; empty if it may."""
        named = f"{self.file.name}: " if self.file else ""
        return named + "; ".join(self.objections) if self.blocks else ""

    @property
    def lines(self) -> list[str]:
        """The objections, each with the key and the file."""
        where = f"models.{self.model}.qualification: {self.file or 'file'}"
        return [f"{where}: {objection}" for objection in self.objections]

    @property
    def predicate(self) -> QualificationPredicate | None:
        """The content of the statement; None without one about these files."""
        return self.signed.statement.predicate if self.signed else None

    @property
    def verdict(self) -> str:
        """The statement's verdict, or `NO_VERDICT` where the compressed model may not serve."""
        return NO_VERDICT if self.objections or self.predicate is None else self.predicate.result.verdict

    @property
    def numerics(self) -> Mapping[str, tuple[float, float]]:
        """The distance of each role's answers from the golden ones, and its bound."""
        golden = self.predicate.result.golden if self.predicate else None
        return {str(role): (far, golden.bound.get(role, 0.0)) for role, far in self.distances.items()} if golden else {}

    @property
    def expires(self) -> float | None:
        """The time of the expiry, in seconds since the epoch; None without a statement."""
        return self.predicate.made.expires.timestamp() if self.predicate else None

    def expiry_reason(self, now: float) -> str:
        """The objection of an expired statement at a time in seconds since the epoch; empty before."""
        if self.predicate is None or now < self.predicate.made.expires.timestamp():
            return ""
        return f"expired on {self.predicate.made.expires.astimezone(UTC).date()}"

    @property
    def clear_margin(self) -> float | None:
        """The margin of clear rows that the statement judged by; None without one that lets serve."""
        return None if self.objections or self.predicate is None else self.predicate.result.clear_margin

    @property
    def digest(self) -> str:
        """The digest of the statement's payload; empty without one."""
        return self.signed.digest if self.signed else ""


def examine_model(
    model: str,
    section: ModelSection,
    digests: Mapping[str, str],
    now: datetime,
    dissents: Path | None = None,
    *,
    keeps: bool = False,
) -> Qualification | None:
    """Judge a model whose artefacts have these ``digests`` by role; None where no statement is asked for, or there. The
    file of ``dissents`` has those that were seen before: they count; where the gate ``keeps`` them, new ones are added.
    """
    asked = section.qualification
    if asked is None or not (asked.is_required or (asked.file and is_there(asked.file))):
        return None
    required = asked.is_required
    if asked.file is None:
        missing = "is missing; write the file of the statement, because the compressed model is no file"
        return Qualification(model, None, objections=(missing,), is_required=required)
    try:
        trust = load_trust(asked.keys, asked.needed_approvals)
        bundle = read_bundle(asked.file, read_dissents(dissents) if dissents else ())
        if dissents and keeps:
            keep_dissents(dissents, bundle, trust)
        found = examine(bundle, digests, trust, now)
    except TrustError as error:
        return Qualification(model, asked.file, objections=tuple(error.problems), is_required=required)
    except StatementFileError as error:
        return Qualification(model, asked.file, objections=(str(error),), is_required=required)
    if found.signed is None:
        return Qualification(model, asked.file, objections=tuple(found.reasons), is_required=required)
    predicate = found.signed.statement.predicate
    objections = [*found.reasons, *configuration_objections(section, predicate, found.withheld)]
    model_limits, subgroup_limits = statement_limits(predicate.criteria)
    return Qualification(
        model=model,
        file=asked.file,
        signed=found.signed,
        objections=tuple(objections),
        mistakes=tuple(looser_limits(model, section, model_limits, subgroup_limits) if required else ()),
        withheld=tuple(sorted(found.withheld)),
        limits={name: limit for name, limit in model_limits.items() if name not in section.limits},
        subgroup_limits={n: limit for n, limit in subgroup_limits.items() if n not in section.subgroup_limits},
        is_required=required,
        falls_back_at_expiry=asked.at_expiry == "baseline" and required,
    )


def with_statement_limits(section: ModelSection, found: Qualification) -> ModelSection:
    """The section with the statement's limits where it has none; a model with a statement is armed by default."""
    limits = {"limits": {**found.limits, **section.limits}}
    subgroup_limits = {"subgroup_limits": {**found.subgroup_limits, **section.subgroup_limits}}
    changed = section.model_copy(update=limits | subgroup_limits)
    return changed if changed.planned_mode == "armed" or section.mode else changed.model_copy(update={"mode": "armed"})


def host_objection(asked: QualificationSection, host_classes: Sequence[str]) -> str:
    """The objection against hosts of these classes; empty without one."""
    if asked.host_classes == ANY_HOST:
        return ""
    other = next((each for each in host_classes if each not in asked.host_classes), None)
    return "" if other is None else f"this host ({other}) is none of host_classes: {', '.join(asked.host_classes)}"
