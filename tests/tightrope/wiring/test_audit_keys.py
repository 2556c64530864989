"""Keys of the configuration: a mistake is one line that names key and file."""

from pathlib import Path

import pytest

from tests.support.key_files import write_key
from tightrope.service.config.kafka import BusSection, KafkaSection, SigningSection
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.state import StateSection
from tightrope.wiring import audit_keys
from tightrope.wiring.audit_keys import public_keys


def settings(folder: Path, **more: Path) -> Settings:
    """Settings with this state folder, and no models."""
    return Settings.model_construct(bus=None, state=StateSection(folder=folder, **more))  # type: ignore[arg-type]


def test_configured_key_signs_and_its_public_half_checks(tmp_path: Path) -> None:
    """The secret is that of the folder all the same."""
    private, public = write_key(tmp_path, "audit", 1)
    keys = audit_keys.audit_keys(settings(tmp_path, audit_key_file=private))
    assert keys.secret == audit_keys.audit_keys(settings(tmp_path)).secret
    assert keys.verifier is not None
    assert public_keys(public).verifier is not None
    assert public_keys(public).secret == b""


@pytest.mark.parametrize("content", [None, b"no key"])
def test_mistake_names_the_key(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, or holds no key."""
    file = tmp_path / "audit.pem"
    if content is not None:
        file.touch(mode=0o600)
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"state\.audit_key_file: .*audit\.pem"):
        audit_keys.audit_keys(settings(tmp_path, audit_key_file=file))
    with pytest.raises(ConfigError, match=r"--key: .*audit\.pem"):
        public_keys(file)
    with pytest.raises(ConfigError, match=r"state\.audit_key_file"):
        audit_keys.require_signer(settings(tmp_path, audit_key_file=file))
    audit_keys.require_signer(settings(tmp_path))


def test_processes_of_a_cluster_derive_one_secret(tmp_path: Path) -> None:
    """From the one that signs their records, on any machine; one that cannot be used names its key."""
    file = tmp_path / "fleet.secret"
    file.touch(mode=0o600)
    file.write_text("ab" * 32)
    bus = BusSection(kafka=KafkaSection(servers=["k:9092"], signing=SigningSection(secret_file=file)))
    one, other = (Settings.model_construct(bus=bus, state=StateSection(folder=tmp_path / name)) for name in "ab")
    assert audit_keys.audit_keys(one).secret == audit_keys.audit_keys(other).secret
    assert not (tmp_path / "a").exists()
    file.write_text("short")
    with pytest.raises(ConfigError, match=r"bus\.kafka\.signing\.secret_file: .*: holds 5 bytes"):
        audit_keys.audit_keys(one)


def test_missing_extra_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is skipped."""
    monkeypatch.setattr(audit_keys, "has_extra", lambda: False)
    with pytest.raises(ConfigError, match=r"state\.audit_key_file: signatures need more: pip install"):
        audit_keys.audit_keys(settings(tmp_path, audit_key_file=tmp_path / "audit.pem"))
