"""A configuration with two models, keys and an unsigned statement about them, in a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tests.support.configs import write_config
from tests.support.key_files import write_key
from tests.support.onnx_models import classifier
from tests.support.statements import PASSED, statement_document
from tightrope.service.adapters.model_files import find_files
from tightrope.service.statements.bundle import encode_statement, write_bundle
from tightrope.service.statements.envelope import Envelope
from tightrope.service.statements.qualification import QualificationStatement

PEOPLE = ("ana", "bo", "cy")


@dataclass(frozen=True)
class StatementFiles:
    """The files: private keys by person, the bundle, the configuration."""

    config: Path
    bundle: Path
    keys: Mapping[str, Path]


def write_statement_files(
    folder: Path, verdict: str = "qualified", cells: Sequence[Mapping[str, Any]] = (PASSED,)
) -> StatementFiles:
    """Write them: ana is the safety-reviewer, bo and cy are owners, and one of each role must approve."""
    names = ("compressed.onnx", "baseline.onnx")
    for number, name in enumerate(names):
        classifier(folder / name, np.eye(4, 2, dtype=np.float32) * (number + 1))
    keys = {name: write_key(folder, name, number)[0] for number, name in enumerate(PEOPLE)}
    document = statement_document(verdict, cells)
    for subject, name in zip(document["subject"], names, strict=True):
        subject.update(name=name, digest={"sha256": find_files(folder / name).digest})
    bundle = folder / "compressed.onnx.intoto.jsonl"
    write_bundle(bundle, [Envelope(encode_statement(msgspec.convert(document, QualificationStatement)))])
    section = {"keys": {"safety-reviewer": ["ana.pub"], "owner": ["bo.pub", "cy.pub"]}}
    fits = {key: document["predicate"][key] for key in ("subgroups", "refusal")}
    model = {"baseline": names[1], "compressed": names[0], "qualification": section, **fits}
    return StatementFiles(write_config(folder, {"models": {"m": model}}), bundle, keys)
