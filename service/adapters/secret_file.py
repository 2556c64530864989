"""Secrets in files: one that is made once and kept where only this user can read it, and one that people give."""

import logging
import secrets
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

SHARED_SECRET_BYTES = 32
"""Least bytes of a secret that people give."""

BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
"""The first bytes of a file that was saved as UTF-8 with a mark, or as UTF-16."""

ASCII_WHITE_SPACE = " \t\r\n\v\f"

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


def secret_text(content: bytes) -> str:
    """The token or password in the content of a file or a variable, without white space at its ends.

    Raises:
        ValueError: with the reason, without the content; for all that would not arrive as it was written.
    """
    if content.startswith(BYTE_ORDER_MARKS):
        raise ValueError("begins with a byte-order mark; save it as ASCII without one")
    text = content.decode("latin-1").strip(ASCII_WHITE_SPACE)
    if not text.isascii():
        raise ValueError("is not ASCII; it should hold the secret, in letters, digits and signs")
    if not text.isprintable():
        raise ValueError("has a control character or a second line; it should hold the secret alone")
    if not text:
        raise ValueError("is empty; it should hold the secret")
    return text


def shared_secret(path: Path) -> bytes:
    """The secret in the file, without white space at its ends.

    Raises:
        ValueError: with the reason, without the content.
    """
    content = private_content(path)
    secret = secret_text(content).encode() if content.strip() else b""
    if len(secret) < SHARED_SECRET_BYTES:
        raise ValueError(
            f"holds {len(secret)} bytes; at least {SHARED_SECRET_BYTES} are needed, as `openssl rand -hex 32` prints"
        )
    return secret


def private_content(path: Path) -> bytes:
    """The content of a file that only this user, and perhaps its group, may read.

    Raises:
        ValueError: with the reason.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if mode & FORBIDDEN_BITS:
        raise ValueError(f"other users may read or change it (mode {mode:04o}); run chmod 600 {path}")
    return content


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
