"""Statements of qualification for the models of a configuration, written by hand: nothing is measured but answers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tightrope.monitors.records import Role
from tightrope.service.config.loader import load
from tightrope.service.config.models import ModelSection
from tightrope.service.inference.loading.pair_loading import build_pair
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.qualified.golden_answers import answer, encode_answers, encode_rows
from tightrope.service.statements.bundle import encode_statement, write_bundle
from tightrope.service.statements.envelope import Envelope
from tightrope.service.statements.qualification import QualificationStatement

GOLDEN_ROWS = 16
CRITERIA = {"disagreement": {"model": 0.07, "subgroups": 0.1}}
PASSED = {"criterion": "disagreement", "scope": "model", "outcome": "pass", "rows": 4000, "hits": 25, "limit": 0.07}


def write_statement(config: Path, model: str = "m", file: Path | None = None, **changes: Any) -> Path:  # noqa: ANN401 - parts of a statement
    """Write the bundle of a model that qualifies here, as `statement_for` makes it; returns its path, by default that
    of the configuration.
    """
    section = load(config, {}).models[model]
    assert section.qualification is not None
    path = file or section.qualification.file
    assert path is not None
    write_bundle(path, [statement_for(config, model, **changes)])
    return path


def statement_for(
    config: Path,
    model: str = "m",
    *,
    change: Callable[[dict[str, Any]], None] = lambda _: None,
    **changes: Any,  # noqa: ANN401 - parts of a statement
) -> Envelope:
    """The statement, without signatures, of the models and the configuration as they are now; ``changes`` as in
    `_document`, and ``change`` edits the whole.
    """
    pair = build_pair(model, load(config, {}))
    document = _document(pair, load(config, {}).models[model], **changes)
    change(document)
    return Envelope(encode_statement(msgspec.convert(document, QualificationStatement)))


def _document(
    pair: ModelPair,
    section: ModelSection,
    *,
    verdict: str = "qualified",
    withheld: Sequence[str] = (),
    cells: Sequence[Mapping[str, Any]] = (PASSED,),
    criteria: Mapping[str, Any] | None = None,
    made: datetime | None = None,
    days: float = 180,
    bound: float = 1e-4,
) -> dict[str, Any]:
    made = made or datetime.now(UTC) - timedelta(hours=1)
    refusal = section.refusal.model_dump(mode="json", exclude={"action"}) if section.refusal else None
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": role, "digest": {"sha256": pair.models[role].digest}} for role in (Role.COMPRESSED, Role.BASELINE)
        ],
        "predicateType": "urn:tightrope:qualification:v1",
        "predicate": {
            "objective": "Nobody's answer changes.",
            "owner": "ml@example.org",
            "criteria_digest": "sha256:" + "ab" * 32,
            "confidence": 0.95,
            "criteria": CRITERIA if criteria is None else criteria,
            "subgroups": {
                name: group.model_dump(mode="json", exclude_none=True) for name, group in section.subgroups.items()
            },
            "refusal": refusal,
            "data": {"sha256": "3c" * 32, "rows": 4000, "chosen_on": 0, "judged_on": 4000, "labels": True},
            "result": {
                "verdict": verdict,
                "withheld": list(withheld),
                "covers": 1.0,
                "seed": 1,
                "cells": list(cells),
                "golden": _golden(pair, bound),
            },
            "measured": {"host_class": pair.host_classes[Role.COMPRESSED]},
            "made": {"at": made.isoformat(), "expires": (made + timedelta(days=days)).isoformat(), "by": "tests"},
        },
    }


def _golden(pair: ModelPair, bound: float) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    rows = {spec.name: rng.integers(0, 3, (GOLDEN_ROWS, *spec.shape[1:])).astype(np.float32) for spec in pair.inputs}
    return {
        "rows": encode_rows(rows),
        "answers": {str(role): encode_answers(answer(pair.models[role], rows, pair.deciding)) for role in Role},
        "bound": {str(role): bound for role in Role},
    }
