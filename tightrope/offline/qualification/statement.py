"""The statement of a qualification: the payload that is signed, and the bundle that it begins."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, cast

import msgspec
from msgspec import UNSET, UnsetType

from tightrope import __version__
from tightrope.monitors.qualification.cells import JudgedCell
from tightrope.monitors.records import Role
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.qualification.criteria import subgroups_document
from tightrope.offline.qualification.runner import QualificationRun
from tightrope.offline.qualification.stages import replace_file
from tightrope.offline.qualification.subjects.named_models import subjects
from tightrope.offline.statements.opinion import PAYLOAD_NAME
from tightrope.service.adapters.model_files import joined_digest
from tightrope.service.config.loader import Settings
from tightrope.service.statements.bundle import encode_statement
from tightrope.service.statements.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature, encode_envelope
from tightrope.service.statements.qualification import (
    CriterionRecord,
    DataRecord,
    MadeRecord,
    MeasuredRecord,
    QualificationCell,
    QualificationPredicate,
    QualificationResult,
    QualificationStatement,
    RefusalRecord,
)

CellOutcome: TypeAlias = Literal["pass", "breach", "insufficient", "error"]

MANIFEST_SUFFIX = ".manifest.json"
DIGITS = 12
"""Significant digits of the figures of a result."""


def cell_record(judged: JudgedCell) -> QualificationCell:
    """A cell as a statement has it. A variant such as a class is part of the criterion."""
    cell, evidence = judged.cell, judged.cell.evidence
    known = QualificationCell(
        criterion=" ".join(part for part in (cell.criterion, cell.variant) if part),
        scope=cell.scope,
        outcome=cast("CellOutcome", judged.outcome.value),
        limit=cell.limit,
        note=judged.note,
    )
    if evidence is None:
        return known
    return msgspec.structs.replace(
        known,
        rows=evidence.rows,
        hits=evidence.hits,
        seen=_rounded(evidence.seen),
        least=_rounded(evidence.at_least),
        bound=_rounded(evidence.bound),
        p_within=_rounded(evidence.p_within),
        p_over=_rounded(evidence.p_over),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def measured_record(host_class: str, costs: Costs | None, scenarios: dict[str, Any]) -> MeasuredRecord:
    """The host and the costs; those that time did not reach are absent."""
    if costs is None:
        return MeasuredRecord(host_class=host_class, scenarios=scenarios)
    return MeasuredRecord(
        host_class=host_class,
        latency=dict(costs.latency),
        file_bytes=dict(costs.file_bytes),
        peak_bytes=dict(costs.peak_bytes),
        cold_start_seconds=dict(costs.cold_start_seconds),
        energy=costs.energy_record,
        scenarios=scenarios,
    )


def build_statement(
    settings: Settings,
    run: QualificationRun,
    data: DataRecord,
    result: QualificationResult,
    costs: Costs | None,
    scenarios: dict[str, Any],
    now: datetime,
) -> QualificationStatement:
    """Join everything; ``scenarios`` are the figures of `--stress`, ``now`` is when it is made."""
    pair, plan = run.evaluation.pair, run.plan
    section = settings.models[pair.name]
    refusal = None if section.refusal is None else section.refusal.model_dump(mode="json", exclude={"action"})
    made = MadeRecord(
        at=now,
        expires=now + timedelta(days=plan.section.valid_days),
        by=f"tightrope {__version__}",
        manifest_sha256=_manifest_digest(section.compressed),
    )
    predicate = QualificationPredicate(
        objective=plan.section.objective or "",
        owner=section.owner or "",
        criteria_digest=f"sha256:{plan.digest}",
        confidence=plan.section.confidence,
        criteria={each.name: msgspec.convert(each.document(), CriterionRecord) for each in plan.criteria},
        subgroups=subgroups_document(settings, pair.name),
        refusal=None if refusal is None else msgspec.convert(refusal, RefusalRecord),
        data=data,
        result=result,
        measured=measured_record(pair.host_classes.get(Role.COMPRESSED, ""), costs, scenarios),
        made=made,
    )
    return QualificationStatement(subject=subjects(settings, pair), predicate=predicate)


def _manifest_digest(compressed: object) -> str | UnsetType:
    """The digest of the manifest beside the compressed model, if there is one."""
    if not isinstance(compressed, Path):
        return UNSET
    manifest = compressed.with_name(compressed.stem + MANIFEST_SUFFIX)
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else UNSET


class Signer(Protocol):
    """A private key."""

    @property
    def keyid(self) -> str:
        """The identity of its public key."""

    def sign(self, payload: bytes, payload_type: str) -> str:
        """The signature over a payload and its type, in base64."""


def write_statement(bundle: Path, statement: QualificationStatement, signer: Signer | None = None) -> Sequence[Path]:
    """Write the payload for reading, and a bundle of one envelope, without signatures if there is no ``signer``.
    Approvals of an earlier payload are in the old bundle, which is replaced: they approved something else.

    Raises:
        QualificationStateError: when a file cannot be written.
    """
    payload = encode_statement(statement)
    beside = bundle.with_name(PAYLOAD_NAME)
    signatures: tuple[EnvelopeSignature, ...] = ()
    if signer is not None:
        signatures = (EnvelopeSignature(sig=signer.sign(payload, PAYLOAD_TYPE), keyid=signer.keyid),)
    replace_file(bundle, encode_envelope(Envelope(payload, signatures)) + b"\n")
    replace_file(beside, payload)
    return bundle, beside


def data_digest(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of the files in a folder."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return joined_digest({str(each.relative_to(path)): data_digest(each) for each in files})
