import hashlib
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.qualified_reports import NOW, judge
from tightrope.monitors.records import Role
from tightrope.offline.qualification.statement import data_digest
from tightrope.offline.statements.opinion import PAYLOAD_NAME
from tightrope.service.statements.bundle import read_bundle
from tightrope.service.statements.qualification import QualificationStatement

SAME = [[1, 0], [0, 0]]


def test_the_bundle_begins_with_the_payload_beside_it(tmp_path: Path) -> None:
    """One envelope without signatures; the payload is a statement about these very files and rows."""
    settings, data = sided_settings(tmp_path, owner="ana@example.org"), sided_rows(tmp_path)
    (tmp_path / "compressed.manifest.json").write_bytes(b"{}")
    report = judge(settings, data, tmp_path)
    bundle = read_bundle(tmp_path / "bundle.jsonl")
    payload = (tmp_path / PAYLOAD_NAME).read_bytes()
    assert [each.envelope.payload for each in bundle.qualifications] == [payload]
    statement = msgspec.json.decode(payload, type=QualificationStatement)
    assert statement == report.statement
    digests = [
        hashlib.sha256((tmp_path / f"{role}.onnx").read_bytes()).hexdigest()
        for role in (Role.COMPRESSED, Role.BASELINE)
    ]
    assert [each.digest.sha256 for each in statement.subject] == digests
    predicate = statement.predicate
    assert (predicate.owner, predicate.data.sha256) == ("ana@example.org", data_digest(data))
    assert predicate.made.expires - predicate.made.at == timedelta(days=180)
    assert predicate.made.at == NOW
    assert predicate.made.manifest_sha256 == hashlib.sha256(b"{}").hexdigest()


def test_without_a_manifest_none_is_named(tmp_path: Path) -> None:
    """An unknown digest is absent."""
    judge(sided_settings(tmp_path), sided_rows(tmp_path), tmp_path)
    assert b"manifest" not in (tmp_path / PAYLOAD_NAME).read_bytes()


def test_a_key_signs_the_statement(tmp_path: Path) -> None:
    """Its public key finds the signature in the bundle."""
    pytest.importorskip("securesystemslib", reason="the extra `signed` is not installed")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from tightrope.service.adapters.attestation.ed25519 import load_private_key

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key = tmp_path / "ana.pem"
    key.write_bytes(pem)
    key.chmod(0o600)
    signer = load_private_key(key)
    judge(sided_settings(tmp_path), sided_rows(tmp_path), tmp_path, signer=signer)
    (signed,) = read_bundle(tmp_path / "bundle.jsonl").qualifications
    assert signer.verifying_key("ana").has_signed(signed.envelope)


def test_the_digest_of_a_folder_covers_names_and_contents(tmp_path: Path) -> None:
    """As of a folder of .npy files."""
    folder = tmp_path / "rows"
    folder.mkdir()
    digests = set()
    for name, content in (("a", b"1"), ("a", b"2"), ("b", b"2")):
        (folder / name).write_bytes(content)
        digests.add(data_digest(folder))
    assert len(digests) == 3
