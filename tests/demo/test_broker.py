import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tightrope.demo import broker as module
from tightrope.demo.broker import VERSION, BrokerError, broker, why_not


def test_missing_jars_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is started."""
    monkeypatch.setattr(module, "JARS", tmp_path)
    monkeypatch.setattr(module.shutil, "which", lambda _: "/bin/java")
    assert why_not() == f"Apache Kafka is not in {tmp_path}: `make kafka` fetches it"
    with pytest.raises(BrokerError, match="`make kafka` fetches it"), broker():
        pass
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    assert why_not() == "there is no java: Apache Kafka needs Java 17 or newer"


def test_command_runs_beside_a_broker() -> None:
    """With its address in place of {kafka}, and its own exit code."""
    missing = why_not()
    if missing:
        pytest.skip(missing)
    told = "import sys; print(sys.argv[1]); sys.exit(7)"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tightrope.demo.broker", sys.executable, "-c", told, "at {kafka}"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert ended.returncode == 7
    assert ended.stdout.startswith("at 127.0.0.1:")


def test_version_is_the_one_that_is_fetched() -> None:
    """Makefile, build file and module speak of one Kafka."""
    assert f"<version>{VERSION}</version>" in (ROOT / "demo/kafka/pom.xml").read_text()
    assert f"kafka-{VERSION}\n" in (ROOT / "Makefile").read_text()
