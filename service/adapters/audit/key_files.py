"""The secret of the audit trail, which is made once in the state folder."""

import secrets
from pathlib import Path

from tightrope.service.adapters.audit.seals import AUDIT_SECRET_BYTES, AuditKeys
from tightrope.service.adapters.secret_file import kept_secret

KEY_FILE = "audit.key"
"""Name of the secret in the state folder; only this user may read it."""


def keys_beside(path: Path) -> AuditKeys:
    """The keys of a state file: the secret in its folder, made where it is missing."""
    return AuditKeys(kept_secret(path.with_name(KEY_FILE), AUDIT_SECRET_BYTES))


def keys_of_process() -> AuditKeys:
    """Keys that end with this process."""
    return AuditKeys(secrets.token_bytes(AUDIT_SECRET_BYTES))
