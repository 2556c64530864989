"""Ed25519 keys in PEM files, made from a seed as `openssl genpkey` would write them."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NO_ENCRYPTION = serialization.NoEncryption()


def write_key(folder: Path, name: str, number: int) -> tuple[Path, Path]:
    """Write NAME.pem, which only its owner may read, and NAME.pub; the seed of the key has the number in each byte."""
    return write_seed(folder, name, bytes([number]) * 32)


def write_seed(folder: Path, name: str, seed: bytes) -> tuple[Path, Path]:
    """Write the private and the public file of a key with this seed."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.touch(mode=0o600)
    pkcs8 = serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, NO_ENCRYPTION))
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, info))
    return private, public
