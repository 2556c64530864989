"""Statements about a role on another server: named by its address, name and version."""

from pathlib import Path

import pytest

from tests.support.qualified_pair import sided_settings
from tests.support.qualified_reports import judge
from tests.support.remote_pair import remote_pair, without_versions
from tightrope.monitors.records import Role
from tightrope.offline.pair_evaluation import load_pair
from tightrope.offline.qualification.qualify import QualifyOptions, qualify
from tightrope.offline.qualification.subjects.named_models import (
    bundle_file,
    digest_notes,
    subjects,
)
from tightrope.offline.statements.verification import verify
from tightrope.service.config.loader import ConfigError
from tightrope.service.statements.qualification import NO_DIGEST


def test_file_is_named_by_its_digest(tmp_path: Path) -> None:
    """The compressed model first; nothing has to be said about it."""
    settings = sided_settings(tmp_path)
    pair = load_pair(settings, None)
    found = subjects(settings, pair)
    assert [(each.name, each.digest.sha256) for each in found] == [
        (f"{role}.onnx", pair.models[role].digest) for role in (Role.COMPRESSED, Role.BASELINE)
    ]
    assert list(digest_notes(settings, pair)) == []
    assert bundle_file(settings, pair, None, is_signed=True) == tmp_path / "compressed.onnx.intoto.jsonl"
    assert bundle_file(settings, pair, tmp_path / "x", is_signed=False) == tmp_path / "x"


@pytest.mark.parametrize("role", Role)
def test_remote_role_is_qualified_by_its_version(tmp_path: Path, role: Role) -> None:
    """Its host's costs are not told, and the gate finds the same digest."""
    with remote_pair(tmp_path, role) as remote:
        report = qualify(remote.settings, remote.rows, None, QualifyOptions())
        subject = report.statement.subject[[Role.COMPRESSED, Role.BASELINE].index(role)]
        assert subject.name == "m, version 1, on another server"
        assert subject.digest.sha256 == load_pair(remote.settings, None).models[role].digest
        measured = report.statement.predicate.measured
        other = str(role.other)
        for found in (measured.file_bytes, measured.peak_bytes, measured.cold_start_seconds):
            assert found[str(role)] is None
        assert measured.file_bytes[other] > 0
        assert measured.energy["cpu_seconds_per_row"][str(role)] is None
        assert measured.energy["cpu_seconds_per_row"][other] > 0
        assert measured.latency["p99"][str(role)] > 0
        golden = report.statement.predicate.result.golden
        assert golden is not None
        assert set(golden.answers) == {other}
        verified = verify(remote.settings, None, report.statement.predicate.made.at)["m"]
        assert verified.lines == []


def test_model_without_a_version_has_no_digest(tmp_path: Path) -> None:
    """Its cells are judged; nothing can be signed, and the gate refuses with what would be right."""
    with remote_pair(tmp_path, Role.BASELINE) as remote:
        without_versions(remote.server)
        report = judge(remote.settings, remote.rows, tmp_path, out=None, costs=False)
        assert report.statement.subject[1].digest.sha256 == NO_DIGEST
        assert report.statement.subject[1].name == "m, version unknown, on another server"
        assert [each.cell.criterion for each in report.cells] == ["disagreement"]
        assert report.notes[-1] == (
            f"models.m.baseline: {remote.server.address} tells no version, so it has no digest; write version: "
            "without a digest the statement cannot be signed, and lets nothing serve"
        )
        (line,) = verify(remote.settings, None, report.statement.predicate.made.at)["m"].lines
        assert line.endswith(
            "has no digest of baseline, whose server tells no version: write its version, and qualify again"
        )
        with pytest.raises(ConfigError, match=r"--key: models\.m\.baseline: http.* tells no version"):
            judge(remote.settings, remote.rows, tmp_path, costs=False, signer=object())


def test_remote_compressed_model_has_no_folder(tmp_path: Path) -> None:
    """The statement needs a place."""
    with remote_pair(tmp_path, Role.COMPRESSED) as remote:
        pair = load_pair(remote.settings, None)
        assert bundle_file(remote.settings, pair, None, is_signed=True) == tmp_path / "m.intoto.jsonl"
        bare = remote.settings.models["m"].model_copy(update={"qualification": None})
        settings = remote.settings.model_copy(update={"models": {"m": bare}})
        with pytest.raises(ConfigError, match=r"write models\.m\.qualification\.file, or give --out"):
            bundle_file(settings, pair, None, is_signed=False)
