"""A substitute for Kafka on machines without Java: noida-db, from the package index.

It keeps the contract of the bus except for the log's id. Tests of a cluster need Apache Kafka itself, because noida-db
never removes dead members of a group.
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.observability.debian_servers import until


@contextmanager
def noida_broker() -> Iterator[str]:
    """A running server's address; the test is skipped if it is not installed."""
    spec = find_spec("noida_db")
    if spec is None:
        pytest.skip("neither Apache Kafka nor noida-db is here: `make kafka` fetches the one, `make test` the other")
    program = Path(str(spec.origin)).with_name("noida-db")  # its command is a parent that passes no signal on
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with TemporaryDirectory(prefix="tightrope-noida-") as folder:
        command = [program, "start", "--data-dir", folder, "--host", "127.0.0.1", "--only", "kafka", "--kafka-port"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen([*command, str(port)], stdout=quiet, stderr=quiet) as process:
            try:
                until(lambda: _answers(port), 60.0)
                yield f"127.0.0.1:{port}"
            finally:
                process.kill()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False
