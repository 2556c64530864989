"""A real broker with security: TLS with its own authority, client certificates, passwords."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tightrope.demo.broker import Broker, Listener

USER, PASSWORD = "tightrope", "over-the-river"
PLAIN, SCRAM = "plain.PlainLoginModule", "scram.ScramLoginModule"


class TlsFiles:
    """Files in a folder: the broker's authority, a foreign one, and a client's certificate and key."""

    def __init__(self, folder: Path) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        self.authority, self.stranger = folder / "ca.pem", folder / "stranger.pem"
        authority.cert_pem.write_to_path(self.authority)
        stranger.cert_pem.write_to_path(self.stranger)
        self.broker = folder / "broker.pem"
        self.broker.write_bytes(_as_java_reads_it(authority.issue_cert("127.0.0.1")))
        mine = authority.issue_cert("gateway.example.org")
        self.certificate, self.key = folder / "client.pem", folder / "client.key"
        mine.cert_chain_pems[0].write_to_path(self.certificate)
        mine.private_key_pem.write_to_path(self.key)


def _as_java_reads_it(leaf: trustme.LeafCert) -> bytes:
    """Key (PKCS 8) and certificate in one file, as Java reads them."""
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + leaf.cert_chain_pems[0].bytes()


@contextmanager
def secured_broker(folder: Path, keys: TlsFiles) -> Iterator[Broker]:
    """A broker with three listeners: TLS, MUTUAL (TLS with a client certificate) and SASL (TLS with a password)."""
    tls = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keys.broker),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(keys.authority),
    }
    module = "org.apache.kafka.common.security"
    passwords = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "plain.sasl.jaas.config": f'{module}.{PLAIN} required user_{USER}="{PASSWORD}";',
        "scram-sha-512.sasl.jaas.config": f"{module}.{SCRAM} required;",
    }
    doors = {
        "TLS": Listener("SSL", tls),
        "MUTUAL": Listener("SSL", {**tls, "ssl.client.auth": "required"}),
        "SASL": Listener("SASL_SSL", {**tls, **passwords}),
    }
    broker = Broker(folder, doors, ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"])
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
