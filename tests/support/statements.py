"""Statements, approvals and keys for tests. The keys sign by HMAC: tests of Ed25519 are those of its adapter."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tightrope.service.statements.approval import ApprovalPredicate, ApprovalStatement
from tightrope.service.statements.bundle import Bundle, encode_statement, parse_bundle, payload_digest
from tightrope.service.statements.envelope import Envelope, EnvelopeSignature, encode_envelope
from tightrope.service.statements.qualification import (
    QualificationCell,
    QualificationStatement,
    StatementSubject,
    SubjectDigest,
)
from tightrope.service.statements.trust import Trust

COMPRESSED, BASELINE = "6b" * 32, "99" * 32
EXPECTED = {"compressed": COMPRESSED, "baseline": BASELINE}
MADE = datetime(2026, 11, 28, 17, tzinfo=UTC)
NOW = MADE + timedelta(days=1)

PASSED: dict[str, Any] = {
    "criterion": "disagreement",
    "scope": "model",
    "outcome": "pass",
    "rows": 4000,
    "hits": 25,
    "seen": 0.00625,
    "bound": 0.0087181935,
    "limit": 0.07,
    "p_within": 5.2e-90,
    "p_over": 1.0,
}
BREACH: dict[str, Any] = {
    "criterion": "disagreement",
    "scope": "residence=group_quarters",
    "outcome": "breach",
    "rows": 217,
    "hits": 117,
    "seen": 117 / 217,
    "least": 0.4810633149,
    "limit": 0.1,
}
UNTOLD: dict[str, Any] = {
    "criterion": "disagreement",
    "scope": "race=institution",
    "outcome": "insufficient",
    "note": "about 120 more rows",
}
BREACH_KEY, UNTOLD_KEY = "disagreement:residence=group_quarters", "disagreement:race=institution"


def statement_document(
    verdict: str = "qualified", cells: Sequence[Mapping[str, Any]] = (PASSED,), made: datetime = MADE
) -> dict[str, Any]:
    """A statement as JSON has it."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "good_distilled.onnx", "digest": {"sha256": COMPRESSED}},
            {"name": "baseline_fp32.onnx", "digest": {"sha256": BASELINE}},
        ],
        "predicateType": "urn:tightrope:qualification:v1",
        "predicate": {
            "objective": "Nobody's answer changes because the model was compressed.",
            "owner": "ml-platform@example.org",
            "criteria_digest": "sha256:" + "ab" * 32,
            "confidence": 0.95,
            "criteria": {
                "disagreement": {"model": 0.07, "subgroups": 0.1},
                "accuracy": {"subgroups": {"limit": 0.1, "proof": "not_over"}},
            },
            "subgroups": {"residence": {"column": 3, "values": {"group_quarters": [17]}}},
            "refusal": {"score": "max_probability", "threshold": 0.6, "compressed_threshold": 0.6},
            "data": {"sha256": "3c" * 32, "rows": 4000, "chosen_on": 0, "judged_on": 4000, "labels": True},
            "result": {
                "verdict": verdict,
                "withheld": [],
                "covers": 1.0,
                "seed": 1,
                "cells": [dict(cell) for cell in cells],
            },
            "measured": {
                "host_class": "x86_64 avx2 ort1.31",
                "energy": {"joules_per_row": None, "how": "no RAPL: CPU seconds"},
            },
            "made": {
                "at": made.isoformat(),
                "expires": (made + timedelta(days=180)).isoformat(),
                "by": "tightrope 0.2.0",
            },
        },
    }


def sample_statement(
    verdict: str = "qualified", cells: Sequence[Mapping[str, Any]] = (PASSED,), made: datetime = MADE
) -> Envelope:
    """A statement in an envelope without signatures."""
    document = statement_document(verdict, cells, made)
    return Envelope(encode_statement(msgspec.convert(document, QualificationStatement)))


def sample_cell(**changes: Any) -> QualificationCell:  # noqa: ANN401 - fields of several types
    """A cell that passed, with changes."""
    return msgspec.convert({**PASSED, **changes}, QualificationCell)


@dataclass(frozen=True)
class SampleKey:
    """A key of a person; signs by HMAC of the payload."""

    name: str

    def sign(self, payload: bytes) -> EnvelopeSignature:
        """The signature of a payload."""
        return EnvelopeSignature(base64.b64encode(self._mac(payload)).decode(), self.name)

    def has_signed(self, envelope: Envelope) -> bool:
        """Whether one of the signatures is this key's."""
        return self.sign(envelope.payload).sig in {signature.sig for signature in envelope.signatures}

    def _mac(self, payload: bytes) -> bytes:
        return hmac.digest(self.name.encode(), payload, hashlib.sha256)


ANA, BO, CY, DAN = (SampleKey(name) for name in ("ana", "bo", "cy", "dan"))
TRUST = Trust({"safety-reviewer": [ANA], "owner": [BO, CY]}, {"safety-reviewer": 1, "owner": 1})


def sample_opinion(
    about: Envelope,
    key: SampleKey,
    role: str,
    decision: str = "approve",
    seen: Sequence[Envelope] = (),
    **changes: Any,  # noqa: ANN401 - fields of several types
) -> Envelope:
    """An opinion about a statement, signed by a key; ``seen`` are opinions that its writer saw."""
    digests = [payload_digest(envelope.payload) for envelope in seen]
    document = {"role": role, "decision": decision, "note": "", "at": MADE.isoformat(), "seen": digests, **changes}
    subject = StatementSubject(name="qualification.json", digest=SubjectDigest(sha256=payload_digest(about.payload)))
    predicate = msgspec.convert(document, ApprovalPredicate)
    payload = encode_statement(ApprovalStatement(subject=[subject], predicate=predicate))
    return Envelope(payload, (key.sign(payload),))


def sample_approvals(about: Envelope, **changes: Any) -> list[Envelope]:  # noqa: ANN401 - fields of several types
    """An approval in each role of ``TRUST``."""
    return [sample_opinion(about, ANA, "safety-reviewer", **changes), sample_opinion(about, BO, "owner", **changes)]


def bundle_of(*envelopes: Envelope) -> Bundle:
    """The bundle of these envelopes, read from their lines."""
    return parse_bundle(encode_envelope(envelope) for envelope in envelopes)
