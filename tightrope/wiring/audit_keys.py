"""The keys of the audit trail, as a configuration names them."""

import hmac
from dataclasses import replace
from pathlib import Path

from tightrope.service.adapters.audit.key_files import KEY_FILE, keys_beside
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.secret_file import shared_secret
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.errors import TightropeError
from tightrope.service.statements.keys import NEEDS_SIGNED, has_extra

SHARED_DOMAIN = b"tightrope:audit:1\0"

KEY = "state.audit_key_file"


def audit_keys(settings: Settings) -> AuditKeys:
    """The secret, and the Ed25519 key if one is configured. The secret is derived from that of the cluster's records;
    where these are not signed it is the state folder's, which is made where it is missing.

    Raises:
        ConfigError: when the key's file cannot be used, or the extra `signed` is missing.
    """
    return with_signer(settings, shared_keys(settings) or keys_beside(settings.state / KEY_FILE))


def shared_keys(settings: Settings) -> AuditKeys | None:
    """The secret that all processes of a cluster derive from that of its signatures; None without one.

    Raises:
        ConfigError: when its file cannot be used.
    """
    if settings.bus is None or settings.bus.kafka.signing is None:
        return None
    file = settings.bus.kafka.signing.secret_file
    try:
        return AuditKeys(hmac.digest(shared_secret(file), SHARED_DOMAIN, "sha256"))
    except ValueError as error:
        raise ConfigError([f"bus.kafka.signing.secret_file: {file}: {error}"]) from error


def with_signer(settings: Settings, keys: AuditKeys) -> AuditKeys:
    """The keys with the configured Ed25519 key.

    Raises:
        ConfigError: as `audit_keys`.
    """
    file = settings.state.audit_key_file
    if file is None:
        return keys
    _require_extra(KEY)
    from tightrope.service.adapters.attestation.ed25519 import load_private_key  # noqa: PLC0415 - an extra

    try:
        signer = load_private_key(file)
    except TightropeError as error:
        raise ConfigError([f"{KEY}: {error}"]) from error
    return replace(keys, signer=signer, verifier=signer.verifying_key(file.stem))


def require_signer(settings: Settings) -> None:
    """Require that the configured key can sign.

    Raises:
        ConfigError: as `audit_keys`.
    """
    with_signer(settings, AuditKeys())


def public_keys(file: Path) -> AuditKeys:
    """The public key in a file: it checks, and signs nothing.

    Raises:
        ConfigError: when the file cannot be used, or the extra `signed` is missing.
    """
    _require_extra("--key")
    from tightrope.service.adapters.attestation.ed25519 import load_public_key  # noqa: PLC0415 - an extra

    try:
        return AuditKeys(verifier=load_public_key(file))
    except TightropeError as error:
        raise ConfigError([f"--key: {error}"]) from error


def _require_extra(key: str) -> None:
    if not has_extra():
        raise ConfigError([f"{key}: {NEEDS_SIGNED}"])
