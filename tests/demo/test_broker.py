import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.configs import ROOT
from tightrope.demo import broker as module
from tightrope.demo.broker import (
    ARCHIVE,
    KAFKA_VERSION,
    BrokerError,
    broker,
    java_command,
    why_unavailable,
    write_archive,
)


def test_missing_jars_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is started."""
    monkeypatch.setattr(module, "JARS", tmp_path)
    monkeypatch.setattr(module.shutil, "which", lambda _: "/bin/java")
    assert why_unavailable() == f"Apache Kafka is not in {tmp_path}: run `make kafka`"
    with pytest.raises(BrokerError, match="run `make kafka`"), broker():
        pass
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    assert why_unavailable() == "java is not installed: Apache Kafka needs Java 17 or newer"


def test_command_runs_beside_a_broker() -> None:
    """The argument {kafka} is replaced by the address; the exit code is the command's."""
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    script = "import sys; print(sys.argv[1]); sys.exit(7)"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tightrope.demo.broker", sys.executable, "-c", script, "at {kafka}"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert ended.returncode == 7
    assert ended.stdout.startswith("at 127.0.0.1:")


def test_classes_come_from_the_archive() -> None:
    """A broker takes them from it, so that it starts sooner; without one the jars are read."""
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    if not ARCHIVE.exists():
        write_archive()
    command = java_command("-Xlog:class+load", "kafka.tools.StorageTool", "random-uuid")
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = (line for line in ended.stdout.splitlines() if " kafka.utils.Logging source: " in line)
    assert line.endswith("source: shared objects file (top)")


def test_archive_of_another_version_is_no_hindrance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Java reads the jars instead."""
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    monkeypatch.setattr(module, "ARCHIVE", tmp_path / "classes.jsa")
    assert not [option for option in java_command() if "SharedArchive" in option]
    (tmp_path / "classes.jsa").write_bytes(b"nothing" * 1_000)
    command = java_command("kafka.tools.StorageTool", "random-uuid")
    assert f"-XX:SharedArchiveFile={tmp_path / 'classes.jsa'}" in command
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_versions_agree() -> None:
    """Makefile, Maven file and module name the same Kafka version."""
    assert f"<version>{KAFKA_VERSION}</version>" in (ROOT / "demo/kafka/pom.xml").read_text()
    assert f"kafka-{KAFKA_VERSION}\n" in (ROOT / "Makefile").read_text()
