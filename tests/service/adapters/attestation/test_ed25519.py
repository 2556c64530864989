import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from hypothesis import given
from hypothesis import strategies as st

from tests.support.key_files import NO_ENCRYPTION, write_key, write_seed
from tightrope.service.adapters.attestation.ed25519 import (
    KeyFileError,
    SigningKey,
    load_private_key,
    load_public_key,
    pre_authentication_encoding,
)
from tightrope.service.statements.envelope import PAYLOAD_TYPE, Envelope, EnvelopeSignature

GOLDEN = "dWG98CPWh3lAzt/mxzJ7Nc6Avgf2tjap4msM5gNmMV9Lpu+TWkZMk3lP/u6Su450zcqkLQw21MTZfwU07XgjCw=="
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def signed(key: SigningKey, payload: bytes = b"{}", keyid: str = "") -> Envelope:
    """An envelope with one signature."""
    return Envelope(payload, (EnvelopeSignature(key.sign(payload, PAYLOAD_TYPE), keyid),))


def test_golden_signature(tmp_path: Path) -> None:
    """The seed 00 to 1f, over the empty object of in-toto."""
    private, public = write_seed(tmp_path, "golden", bytes(range(32)))
    assert pre_authentication_encoding(b"{}", PAYLOAD_TYPE) == b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
    assert load_private_key(private).sign(b"{}", PAYLOAD_TYPE) == GOLDEN
    assert load_public_key(public).has_signed(Envelope(b"{}", (EnvelopeSignature(GOLDEN),)))


def test_keys_of_openssl_are_read(tmp_path: Path) -> None:
    """As the documentation says to make them."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing")
    private, public = tmp_path / "ana.pem", tmp_path / "ana.pub"
    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", private],
        ["pkey", "-in", private, "-pubout", "-out", public],
    ):
        subprocess.run(["openssl", *command], check=True)  # noqa: S607 - the openssl of the path
    private.chmod(0o600)
    key = load_public_key(public)
    assert key.name == "ana"
    assert key.has_signed(signed(load_private_key(private)))


def test_signature_of_any_keyid_is_asked(tmp_path: Path) -> None:
    """Other tools name keys otherwise; the name decides nothing."""
    private, public = write_key(tmp_path, "ana", 1)
    assert load_public_key(public).has_signed(signed(load_private_key(private), keyid="of another tool"))


def test_signature_among_others_is_found(tmp_path: Path) -> None:
    """A foreign signature before it, text that is no base64, and a short one."""
    private, public = write_key(tmp_path, "ana", 1)
    other, _ = write_key(tmp_path, "bo", 2)
    own, foreign = signed(load_private_key(private)), signed(load_private_key(other))
    junk = (EnvelopeSignature("?"), EnvelopeSignature("AAAA"), EnvelopeSignature(""))
    key = load_public_key(public)
    assert key.has_signed(Envelope(b"{}", (*foreign.signatures, *junk, *own.signatures)))
    assert not key.has_signed(Envelope(b"{}", (*foreign.signatures, *junk)))


@given(st.data())
def test_no_changed_bit_is_accepted(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Neither in the payload, nor in its type, nor in the signature."""
    private, public = write_key(tmp_path_factory.mktemp("keys"), "ana", 1)
    envelope = signed(load_private_key(private), b'{"a": 1}')
    parts = [envelope.payload, PAYLOAD_TYPE.encode(), envelope.raw_signatures[0]]
    which = data.draw(st.integers(0, 2))
    bit = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(changed)
    signature = EnvelopeSignature(base64.b64encode(parts[2]).decode())
    forged = Envelope(parts[0], (signature,), parts[1].decode("utf-8", "replace"))
    assert not load_public_key(public).has_signed(forged)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_private_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The line says what to do."""
    private, _ = write_key(tmp_path, "ana", 1)
    private.chmod(mode)
    with pytest.raises(KeyFileError) as error:
        load_private_key(private)
    assert str(error.value) == f"{private}: other users may read it (mode {mode:04o}); run chmod 600 {private}"


def test_files_without_the_wanted_key_have_one_line(tmp_path: Path) -> None:
    """Text, a folder, other kinds of keys, the other half, and an encrypted key."""
    write_key(tmp_path, "ana", 1)
    (tmp_path / "text").write_text("text")
    (tmp_path / "folder").mkdir()
    curve = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "curve").write_bytes(curve.private_bytes(PEM, PKCS8, NO_ENCRYPTION))
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "448").write_bytes(ed448.Ed448PrivateKey.generate().public_key().public_bytes(PEM, info))
    locked = serialization.BestAvailableEncryption(b"secret")
    (tmp_path / "locked").write_bytes(curve.private_bytes(PEM, PKCS8, locked))
    for file in tmp_path.iterdir():
        file.chmod(0o700 if file.is_dir() else 0o600)
    lines = {}
    for load, name in (
        (load_public_key, "absent"),
        (load_public_key, "folder"),
        (load_public_key, "text"),
        (load_public_key, "ana.pem"),
        (load_public_key, "448"),
        (load_private_key, "text"),
        (load_private_key, "ana.pub"),
        (load_private_key, "curve"),
        (load_private_key, "locked"),
    ):
        with pytest.raises(KeyFileError) as error:
            load(tmp_path / name)
        lines[load.__name__, name] = str(error.value).replace(f"{tmp_path}/", "")
    no_private = "holds no private key in PEM, as openssl genpkey -algorithm ed25519 writes it"
    no_ed25519 = "is no Ed25519 key; make one: openssl genpkey -algorithm ed25519"
    assert lines == {
        ("load_public_key", "absent"): "absent: cannot be read: No such file or directory",
        ("load_public_key", "folder"): "folder: cannot be read: Is a directory",
        ("load_public_key", "text"): "text: holds no public key in PEM, as openssl pkey -pubout writes it",
        ("load_public_key", "ana.pem"): "ana.pem: holds a private key; write the public one: "
        "openssl pkey -in ana.pem -pubout",
        ("load_public_key", "448"): f"448: {no_ed25519}",
        ("load_private_key", "text"): f"text: {no_private}",
        ("load_private_key", "ana.pub"): f"ana.pub: {no_private}",
        ("load_private_key", "curve"): f"curve: {no_ed25519}",
        ("load_private_key", "locked"): "locked: is encrypted; decrypt it: openssl pkey -in locked",
    }


def test_key_signs_what_its_public_half_verifies(tmp_path: Path) -> None:
    """The public half of a private key is the key in the public file."""
    private, public = write_key(tmp_path, "ana", 1)
    key = load_private_key(private)
    assert key.verifying_key("ana").value == load_public_key(public).value
    assert key.keyid == load_public_key(public).key.keyid


@given(st.binary(max_size=300))
def test_any_bytes_in_a_key_file_have_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Also between the lines of a PEM file."""
    path = tmp_path_factory.mktemp("keys") / "key"
    for text in (content, b"-----BEGIN PUBLIC KEY-----\n" + content + b"\n-----END PUBLIC KEY-----\n"):
        path.touch(mode=0o600)
        path.write_bytes(text)
        for load in (load_public_key, load_private_key):
            with pytest.raises(KeyFileError):
                load(path)
