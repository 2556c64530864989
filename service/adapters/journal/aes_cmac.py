"""AES-CMAC (RFC 4493) of many short texts, with one call of the cipher for all first blocks, one for all second ones,
and so on. Each digest is that of the CMAC of `cryptography`, and depends on its own text only.

How it works. The texts lie behind each other in one buffer, with a byte between them that is in no text. Those with
equally many blocks of 16 bytes form a matrix, and a block is a column of it. Each digest chains its own blocks only.
"""

from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC
from numpy.typing import NDArray

from tightrope.monitors.records import Hashes, Ints

BLOCK_BYTES = 16
"""Bytes of a block, of a digest, and of a key."""

FEW = 32
"""Texts up to which their digests are made one by one, which takes less time."""

SEPARATOR = "\n"

_PADDING, _REDUCTION = 0x80, 0x87
"""The byte after a last block that is not full, and the constant of the field in which subkeys are doubled."""


class AesCmac:
    """The digests of texts under a ``key`` of 16 bytes."""

    def __init__(self, key: bytes) -> None:
        self._algorithm = AES(key)
        # The chaining and the subkeys are those of RFC 4493: this mode of the cipher only keeps the blocks apart.
        self._cipher = Cipher(self._algorithm, ECB())  # noqa: S305
        self._kept, self._added = self._last_blocks()

    def digest(self, text: bytes) -> bytes:
        """The digest of one text, 16 bytes."""
        mac = CMAC(self._algorithm)
        mac.update(text)
        return mac.finalize()

    def digests(self, texts: Sequence[str]) -> NDArray[np.uint8]:
        """The digest of each text, (n, 16)."""
        if len(texts) > FEW:
            encoded = (SEPARATOR.join(texts) + SEPARATOR).encode()
            ends = np.flatnonzero(np.frombuffer(encoded, np.uint8) == ord(SEPARATOR))
            if len(ends) == len(texts):  # no text has the separator in it
                return self._of_places(encoded + bytes(BLOCK_BYTES), ends).view(np.uint8)
        digests = b"".join(self.digest(text.encode()) for text in texts)
        return np.frombuffer(digests, np.uint8).reshape(-1, BLOCK_BYTES)

    def _of_places(self, buffer: bytes, ends: Ints) -> Hashes:
        """The digests of the texts that end at these places of a buffer, (n, 2)."""
        starts = np.concatenate([[0], ends[:-1] + 1])
        sizes = ends - starts
        blocks = np.maximum((sizes + BLOCK_BYTES - 1) >> 4, 1)
        if blocks.min() == blocks.max():
            return self._chained(buffer, starts, sizes)
        digests = np.empty((len(ends), 2), np.uint64)
        for count in np.unique(blocks).tolist():
            own = np.flatnonzero(blocks == count)
            digests[own] = self._chained(buffer, starts[own], sizes[own])
        return digests

    def _chained(self, buffer: bytes, starts: Ints, sizes: Ints) -> Hashes:
        """The digests of texts with equally many blocks."""
        blocks = np.ndarray(len(buffer) - BLOCK_BYTES + 1, f"V{BLOCK_BYTES}", buffer, strides=(1,))
        chain, encrypt = np.zeros((1, 2), np.uint64), self._cipher.encryptor().update
        last = max(int(sizes[0]) - 1, 0) // BLOCK_BYTES * BLOCK_BYTES
        for first in range(0, last + 1, BLOCK_BYTES):
            block = blocks[starts + first].view(np.uint64).reshape(-1, 2)
            if first == last:
                block = (block & self._kept.take(sizes - last, 0)) ^ self._added.take(sizes - last, 0)
            chain = np.frombuffer(encrypt((block ^ chain).view(np.uint8).data), np.uint64).reshape(-1, 2)
        return chain

    def _last_blocks(self) -> tuple[Hashes, Hashes]:
        """By the number of bytes in a last block, (17, 2) each: the mask of these bytes, and what is added to them."""
        full = _doubled(self._cipher.encryptor().update(bytes(BLOCK_BYTES)))
        subkeys = [_doubled(full)] * BLOCK_BYTES + [full]
        kept = np.tri(BLOCK_BYTES + 1, BLOCK_BYTES, -1, dtype=np.uint8) * np.uint8(0xFF)
        padding = np.eye(BLOCK_BYTES + 1, BLOCK_BYTES, dtype=np.uint8) * np.uint8(_PADDING)
        added = padding ^ np.frombuffer(b"".join(subkeys), np.uint8).reshape(-1, BLOCK_BYTES)
        return kept.view(np.uint64), added.view(np.uint64)


def _doubled(block: bytes) -> bytes:
    """The next subkey: a block doubled in the field of 2^128 elements."""
    number = int.from_bytes(block) << 1
    carry = number >> (8 * BLOCK_BYTES)
    return (number ^ (carry << (8 * BLOCK_BYTES)) ^ (carry * _REDUCTION)).to_bytes(BLOCK_BYTES)
