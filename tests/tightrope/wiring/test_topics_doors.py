"""Through the locked doors of a real Apache Kafka, by the keys of the configuration and no others."""

import gc
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.cluster.kafka_buses import bus_on
from tests.support.cluster.tls_broker import PASSWORD, USER, Keys, behind_doors
from tests.tightrope.wiring.test_topics import written
from tightrope.cli import main as cli
from tightrope.demo.broker import Broker, why_not
from tightrope.service.adapters.ports import BusAwayError
from tightrope.service.config.loader import load
from tightrope.wiring.topics import options_of, topics

SAMPLES = "tightrope.samples"

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""A client that is not let in leaves its sockets to the garbage collector, which each test calls before it ends."""


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Of an authority of its own."""
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Broker]:
    """A broker of this file's own."""
    missing = why_not()
    if missing:
        pytest.skip(missing)
    with behind_doors(tmp_path_factory.mktemp("broker"), keys) as running:
        yield running


def tls(keys: Keys) -> dict[str, object]:
    """As the configuration has it."""
    return {"security_protocol": "SSL", "ssl_cafile": str(keys.authority)}


def sasl(keys: Keys, mechanism: str) -> dict[str, object]:
    """The same with a user; the password stands elsewhere."""
    names = {"security_protocol": "SASL_SSL", "sasl_mechanism": mechanism, "sasl_plain_username": USER}
    return {**tls(keys), **names}


def certified(keys: Keys) -> dict[str, object]:
    """The same with a certificate of ours."""
    return {**tls(keys), "ssl_certfile": str(keys.certificate), "ssl_keyfile": str(keys.key)}


def goes_through(folder: Path, address: str, client: Mapping[str, object], **more: object) -> None:
    """Topics are made, records published and acknowledged, read by a group, committed, and read by one alone."""
    path, _ = written(folder, address, client=client, **more)
    settings = load(path, {})
    assert topics(settings, check=False).differences == []
    with bus_on(options_of(settings)) as bus:
        for number in range(3):
            bus.publish(SAMPLES, b"%d" % number, "m")
        bus.flush(10.0)
        member, alone = bus.subscribe(SAMPLES, group="g"), bus.subscribe(SAMPLES)
        for reader in (member, alone):
            assert [record.value for record in reader.poll(10, 10.0)] == [b"0", b"1", b"2"]
        member.commit()
        assert member.mine()
        assert (member.lag(), alone.lag()) == (0, 0)


def refused(folder: Path, address: str, client: Mapping[str, object], **more: object) -> str:
    """The one line that says why."""
    path, _ = written(folder, address, client=client, **more)
    with pytest.raises(BusAwayError) as told:
        topics(load(path, {}), check=True)
    (line,) = str(told.value).splitlines()
    where, _, why = line.partition(": ")
    assert where == f"Kafka at {address}"
    return why


def test_tls_needs_nothing_but_the_authority(guarded: Broker, keys: Keys, tmp_path: Path) -> None:
    """Everything that Tightrope asks of Kafka goes through it."""
    goes_through(tmp_path, guarded.doors["TLS"], tls(keys))


def test_another_authority_is_refused(guarded: Broker, keys: Keys, tmp_path: Path) -> None:
    """In one line, which names the key."""
    wrong = {**tls(keys), "ssl_cafile": str(keys.stranger)}
    why = refused(tmp_path, guarded.doors["TLS"], wrong)
    assert why.startswith("its certificate is not one that ssl_cafile vouches for (")
    assert "CERTIFICATE_VERIFY_FAILED" in why


def test_certificate_opens_the_door_that_asks_for_one(guarded: Broker, keys: Keys, tmp_path: Path) -> None:
    """And without it nobody comes in."""
    address = guarded.doors["MUTUAL"]
    why = refused(tmp_path, address, tls(keys))
    assert why.startswith("it wants a certificate of ours, or another one: see ssl_certfile and ssl_keyfile (")
    goes_through(tmp_path, address, certified(keys))


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_password_opens_the_door(guarded: Broker, keys: Keys, tmp_path: Path, mechanism: str) -> None:
    """From its file; with another one nobody comes in."""
    address, client = guarded.doors["SASL"], sasl(keys, mechanism)
    (tmp_path / "password").write_text("another")
    why = refused(tmp_path, address, client, password_file="password")
    assert "sasl_plain_username, password_file (" in why
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    goes_through(tmp_path, address, client, password_file="password")


def test_wrong_protocol_is_named(guarded: Broker, keys: Keys, tmp_path: Path) -> None:
    """Either way round."""
    assert "see security_protocol" in refused(tmp_path, guarded.doors["TLS"], {})
    assert "see security_protocol" in refused(tmp_path, guarded.address, tls(keys))


def test_process_that_nobody_lets_in_goes_on_and_says_so_once(
    guarded: Broker, keys: Keys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The wrong authority costs the caller nothing: publishing waits for nobody, reading finds nothing."""
    path, _ = written(tmp_path, guarded.doors["TLS"], client={**tls(keys), "ssl_cafile": str(keys.stranger)})
    with bus_on(options_of(load(path, {}))) as bus:
        bus.publish(SAMPLES, b"1")
        assert bus.subscribe(SAMPLES).poll(1, 2.0) == []
        with pytest.raises(TimeoutError, match="1 records are not acknowledged"):
            bus.flush(3.0)
    ours = [record.message for record in caplog.records if record.name.startswith("service.")]
    assert len(ours) == 2
    assert all("its certificate is not one that ssl_cafile vouches for" in line for line in ours)


def test_command_says_it_in_one_line(
    guarded: Broker,
    keys: Keys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With exit code 1; what the client logs while it tries is not shown."""
    path, _ = written(tmp_path, guarded.doors["TLS"], client={**tls(keys), "ssl_cafile": str(keys.stranger)})
    monkeypatch.setattr(sys, "argv", ["tightrope", "topics", str(path)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error Kafka at {guarded.doors['TLS']}: its certificate is not one that ssl_cafile vouches")
    assert len(told.splitlines()) == 1
