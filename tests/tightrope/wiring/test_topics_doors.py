"""TLS, client certificates and passwords of a real Apache Kafka."""

import gc
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.cluster.kafka_buses import bus_on
from tests.support.cluster.tls_broker import PASSWORD, USER, TlsFiles, secured_broker
from tests.tightrope.wiring.test_topics import topics_config
from tightrope.cli import main as cli
from tightrope.demo.broker import Broker, why_unavailable
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.config.loader import load
from tightrope.wiring.topics import ensure_topics, kafka_options

SAMPLES = "tightrope.samples"

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""A refused client leaves its sockets to the garbage collector, which each test calls before it ends."""


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Keys of an authority of its own."""
    return TlsFiles(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, keys: TlsFiles) -> Iterator[Broker]:
    """A broker of this file's own."""
    missing = why_unavailable()
    if missing:
        pytest.skip(missing)
    with secured_broker(tmp_path_factory.mktemp("broker"), keys) as running:
        yield running


def tls(keys: TlsFiles) -> dict[str, object]:
    """Return the client options of TLS."""
    return {"security_protocol": "SSL", "ssl_cafile": str(keys.authority)}


def sasl(keys: TlsFiles, mechanism: str) -> dict[str, object]:
    """Return the client options of a user; the password is in another file."""
    names = {"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism, "sasl_plain_username": USER}
    return {**tls(keys), **names}


def certified(keys: TlsFiles) -> dict[str, object]:
    """Return the client options with a certificate."""
    return {**tls(keys), "ssl_certfile": str(keys.certificate), "ssl_keyfile": str(keys.key)}


def assert_usable(folder: Path, address: str, client: Mapping[str, object], **more: object) -> None:
    """Create topics, publish, read by a group, commit, and read alone."""
    path, _ = topics_config(folder, address, client=client, **more)
    settings = load(path, {})
    assert ensure_topics(settings, check=False).differences == []
    with bus_on(kafka_options(settings)) as bus:
        for number in range(3):
            bus.publish(SAMPLES, b"%d" % number, "m")
        bus.flush(10.0)
        member, alone = bus.subscribe(SAMPLES, group="g"), bus.subscribe(SAMPLES)
        for reader in (member, alone):
            assert [record.value for record in reader.poll(10, 10.0)] == [b"0", b"1", b"2"]
        member.commit()
        assert member.owns_partitions()
        assert (member.lag(), alone.lag()) == (0, 0)


def refusal(folder: Path, address: str, client: Mapping[str, object], **more: object) -> str:
    """Return the only line of the error."""
    path, _ = topics_config(folder, address, client=client, **more)
    with pytest.raises(BusUnavailableError) as caught:
        ensure_topics(load(path, {}), check=True)
    (line,) = str(caught.value).splitlines()
    where, _, why = line.partition(": ")
    assert where == f"Kafka at {address}"
    return why


def test_tls_needs_only_the_authority(secured: Broker, keys: TlsFiles, tmp_path: Path) -> None:
    """All of Tightrope's calls to Kafka work over TLS."""
    assert_usable(tmp_path, secured.listeners["TLS"], tls(keys))


def test_another_authority_is_refused(secured: Broker, keys: TlsFiles, tmp_path: Path) -> None:
    """One line names the key."""
    wrong = {**tls(keys), "ssl_cafile": str(keys.stranger)}
    why = refusal(tmp_path, secured.listeners["TLS"], wrong)
    assert why.startswith("its certificate is not signed by an authority in ssl_cafile (")
    assert "CERTIFICATE_VERIFY_FAILED" in why


def test_client_certificate_is_accepted(secured: Broker, keys: TlsFiles, tmp_path: Path) -> None:
    """Without it the broker refuses the client."""
    address = secured.listeners["MUTUAL"]
    why = refusal(tmp_path, address, tls(keys))
    assert why.startswith("it requires a client certificate, or another one: see ssl_certfile and ssl_keyfile (")
    assert_usable(tmp_path, address, certified(keys))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_password_is_accepted(secured: Broker, keys: TlsFiles, tmp_path: Path, mechanism: str) -> None:
    """It is read from its file; another one is refused."""
    address, client = secured.listeners["SASL"], sasl(keys, mechanism)
    (tmp_path / "password").write_text("another")
    why = refusal(tmp_path, address, client, password_file="password")
    assert "sasl_plain_username, password_file (" in why
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    assert_usable(tmp_path, address, client, password_file="password")


def test_wrong_protocol_is_named(secured: Broker, keys: TlsFiles, tmp_path: Path) -> None:
    """In either direction."""
    assert "see security_protocol" in refusal(tmp_path, secured.listeners["TLS"], {})
    assert "see security_protocol" in refusal(tmp_path, secured.address, tls(keys))


def test_refused_process_continues_and_warns_once(
    secured: Broker, keys: TlsFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the wrong authority callers are unaffected: publishing never waits, and reading returns nothing."""
    path, _ = topics_config(tmp_path, secured.listeners["TLS"], client={**tls(keys), "ssl_cafile": str(keys.stranger)})
    with bus_on(kafka_options(load(path, {}))) as bus:
        bus.publish(SAMPLES, b"1")
        assert bus.subscribe(SAMPLES).poll(1, 2.0) == []
        with pytest.raises(TimeoutError, match="1 records are not acknowledged"):
            bus.flush(3.0)
    ours = [record.message for record in caplog.records if record.name.startswith("tightrope.service.")]
    assert len(ours) == 2
    assert all("its certificate is not signed by an authority in ssl_cafile" in line for line in ours)


def test_command_prints_one_line(
    secured: Broker,
    keys: TlsFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit code is 1, and the client's own log is hidden."""
    path, _ = topics_config(tmp_path, secured.listeners["TLS"], client={**tls(keys), "ssl_cafile": str(keys.stranger)})
    monkeypatch.setattr(sys, "argv", ["tightrope", "topics", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    caught = capsys.readouterr().err
    assert caught.startswith(f"error Kafka at {secured.listeners['TLS']}: its certificate is not signed by an auth")
    assert len(caught.splitlines()) == 1
