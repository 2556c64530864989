"""The digests that stand for ids under the key of a state folder.

They are AES-CMACs, or BLAKE2b where the package `cryptography` is not installed, which takes eight times as long. All
digests of a segment have one form.
"""

import re
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tightrope.service.adapters.journal.aes_cmac import AesCmac

DigestForm: TypeAlias = Literal["aes-cmac", "blake2b"]

CMAC_FORM: DigestForm = "aes-cmac"
DIGEST_FORMS: tuple[DigestForm, ...] = get_args(DigestForm)

ID_BYTES = 16
"""Bytes of the digest of an id."""

_DIGEST = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")

_CMAC_PERSON = b"ids by AES-CMAC"
"""Tells the key of these digests from others that are derived from the same secret."""


def available_form() -> DigestForm:
    """The form of new digests in this process."""
    return CMAC_FORM if find_spec("cryptography") is not None else "blake2b"


def stored_forms(name: str) -> set[bytes]:
    r"""The bytes by which an id, or a digest, stands in a segment: a digest in a column has no text.

    >>> sorted(stored_forms("ab" * 16)) == [b"ab" * 16, b"\\xab" * 16], stored_forms("r-1")
    (True, {b'r-1'})
    """
    forms = {name.encode(errors="surrogateescape")}
    return forms | {bytes.fromhex(name)} if _DIGEST.fullmatch(name) else forms


def id_digests(key: bytes, ids: Sequence[str], form: DigestForm) -> NDArray[np.uint8]:
    """The digest of each id under a key, (n, 16)."""
    if form == CMAC_FORM:
        return _cmac(key).digests(ids)
    fresh = blake2b(key=key, digest_size=ID_BYTES).copy
    digests = bytearray()
    for name in ids:
        hashed = fresh()
        hashed.update(name.encode())
        digests += hashed.digest()
    return np.frombuffer(digests, np.uint8).reshape(-1, ID_BYTES)


def id_digest(key: bytes, name: str, form: DigestForm) -> str:
    """The digest that stands for an id under this key, hexadecimal."""
    return digest_names(id_digests(key, [name], form))[0]


def digest_names(digests: NDArray[np.uint8]) -> list[str]:
    """The texts of digests, (n, 16), hexadecimal.

    >>> digest_names(np.zeros((1, 16), np.uint8))
    ['00000000000000000000000000000000']
    """
    text = digests.tobytes().hex()
    return [text[begin : begin + 2 * ID_BYTES] for begin in range(0, len(text), 2 * ID_BYTES)]


@cache
def _cmac(key: bytes) -> "AesCmac":
    from tightrope.service.adapters.journal.aes_cmac import AesCmac  # noqa: PLC0415 - it needs the package

    return AesCmac(blake2b(key=key, digest_size=ID_BYTES, person=_CMAC_PERSON).digest())
