"""Secrets in files: one that is made once and kept where only this user can read it, and one that people give."""

import logging
import secrets
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

SHARED_SECRET_BYTES = 32
"""Least bytes of a secret that people give."""

FORBIDDEN_BITS = stat.S_IWGRP | stat.S_IRWXO
"""Rights that the file of such a secret must not give. Its group may read it, as Kubernetes mounts secrets."""


def kept_secret(path: Path, size: int) -> bytes:
    """The secret of ``size`` bytes in the file, in hexadecimal; made if there is no file. Never raises: where the file
    cannot be used, the secret is a new one, and the log says so.
    """
    try:
        if not path.exists():
            _make(path, size)
        return _read(path, size)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        log.warning("%s: %s; another secret is used until this process ends", path, reason)
        return secrets.token_bytes(size)


def shared_secret(path: Path) -> bytes:
    """The secret in the file, without white space at its ends.

    Raises:
        ValueError: with the reason, without the content.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if mode & FORBIDDEN_BITS:
        raise ValueError(f"other users may read or change it (mode {mode:04o}); run chmod 600 {path}")
    if len(secret) < SHARED_SECRET_BYTES:
        raise ValueError(
            f"holds {len(secret)} bytes; at least {SHARED_SECRET_BYTES} are needed, as `openssl rand -hex 32` prints"
        )
    return secret


def _read(path: Path, size: int) -> bytes:
    """Raises ValueError without the content, which is secret."""
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except ValueError:
        secret = b""
    if len(secret) != size:
        raise ValueError(f"does not hold {2 * size} hexadecimal digits")
    return secret


def _make(path: Path, size: int) -> None:
    """Write a new secret; of several processes that do so at once the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        draft.write_text(secrets.token_hex(size))
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
