"""Ed25519 signatures over DSSE envelopes, by securesystemslib.

A key is asked about every signature of an envelope; a `keyid` decides nothing: `dsse.Envelope.verify` would
skip those of another keyid, and stop at its threshold.

Sources: DSSE v1.0 (`protocol.md`); RFC 8032 (Ed25519).
"""

import base64
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope as DsseEnvelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

from tightrope.service.adapters.model_files import ModelFileError, require_file
from tightrope.service.errors import TightropeError

MAX_KEY_BYTES = 16_384
KEY_RIGHTS_OF_OTHERS = 0o077
PRIVATE_LABEL = b"PRIVATE KEY"


class KeyFileError(TightropeError):
    """The file of a key is missing, unreadable, or holds no Ed25519 key of the wanted kind."""


class SignedPayload(Protocol):
    """A payload with its type and signatures."""

    @property
    def payload(self) -> bytes:
        """The bytes that were signed."""
        ...

    @property
    def payload_type(self) -> str:
        """The type of the payload, which is signed too."""
        ...

    @property
    def raw_signatures(self) -> Sequence[bytes]:
        """The signatures."""
        ...


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key. ``name`` is that of its file without the ending."""

    name: str
    key: SSlibKey

    @property
    def value(self) -> str:
        """The key itself, in hexadecimal: two files with the same value hold one key."""
        return str(self.key.keyval["public"])

    def has_signed(self, envelope: SignedPayload) -> bool:
        """Whether a signature of the envelope is by this key. Never raises."""
        encoded = pre_authentication_encoding(envelope.payload, envelope.payload_type)
        return any(self._verifies(signature, encoded) for signature in envelope.raw_signatures)

    def _verifies(self, signature: bytes, encoded: bytes) -> bool:
        try:
            self.key.verify_signature(Signature(self.key.keyid, signature.hex()), encoded)
        except (UnverifiedSignatureError, VerificationError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key."""

    signer: CryptoSigner

    @property
    def keyid(self) -> str:
        """The identity of the public key, as securesystemslib computes it."""
        return str(self.signer.public_key.keyid)

    def sign(self, payload: bytes, payload_type: str) -> str:
        """The signature over a payload and its type, in base64."""
        signature = self.signer.sign(pre_authentication_encoding(payload, payload_type))
        return base64.b64encode(bytes.fromhex(signature.signature)).decode()

    def verifying_key(self, name: str) -> VerifyingKey:
        """The public key."""
        return VerifyingKey(name, self.signer.public_key)


def pre_authentication_encoding(payload: bytes, payload_type: str) -> bytes:
    """The bytes that a signature covers: "DSSEv1", and the lengths and contents of type and payload."""
    return DsseEnvelope(payload, payload_type, {}).pae()


def load_public_key(path: Path) -> VerifyingKey:
    """The Ed25519 key in a PEM file, as `openssl pkey -pubout` writes it.

    Raises:
        KeyFileError: naming the file.
    """
    content = _read(path)
    if PRIVATE_LABEL in content:
        raise KeyFileError(f"{path}: holds a private key; write the public one: openssl pkey -in {path} -pubout")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: holds no public key in PEM, as openssl pkey -pubout writes it") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path}: is no Ed25519 key; make one: openssl genpkey -algorithm ed25519")
    return VerifyingKey(path.stem, SSlibKey.from_crypto(key))


def load_private_key(path: Path) -> SigningKey:
    """The Ed25519 key in a PEM file, as `openssl genpkey -algorithm ed25519` writes it; only its owner may read it.

    Raises:
        KeyFileError: naming the file, never with its content.
    """
    content = _read(path, private=True)
    try:
        key = load_pem_private_key(content, None)
    except TypeError as error:
        raise KeyFileError(f"{path}: is encrypted; decrypt it: openssl pkey -in {path}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        advice = "holds no private key in PEM, as openssl genpkey -algorithm ed25519 writes it"
        raise KeyFileError(f"{path}: {advice}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: is no Ed25519 key; make one: openssl genpkey -algorithm ed25519")
    return SigningKey(CryptoSigner(key))


def _read(path: Path, *, private: bool = False) -> bytes:
    try:
        require_file(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if private and mode & KEY_RIGHTS_OF_OTHERS:
            raise KeyFileError(f"{path}: other users may read it (mode {mode:04o}); run chmod 600 {path}")
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except ModelFileError as error:
        raise KeyFileError(str(error)) from error
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from error
