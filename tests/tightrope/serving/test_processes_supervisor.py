"""The supervisor of the processes of a port: it replaces them, stops them, and delays restarts of those
that end soon.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.cluster.cluster import wait_until
from tightrope.service.adapters.prometheus.multiprocess import merge_ended
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.process.server import ServerSection
from tightrope.serving import processes
from tightrope.serving.processes import Member, Supervisor

STEADY = "import signal; print('up', flush=True); signal.pause()"
IGNORES_SIGTERM = (
    "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); [signal.pause() for _ in range(9)]"
)
CHATTY = "import signal; print('up', flush=True); print('x' * 10**6, flush=True); print('y'); signal.pause()"
BRIEF = "print('up', flush=True)"
FAILING = "raise SystemExit(3)"


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The supervisor's own lines: asyncio logs one more when a child ends at the moment it is sent a signal."""
    return [record.getMessage() for record in caplog.records if record.name == processes.__name__]


class RunningSupervisor:
    """A supervisor of processes that run this program, stopped by SIGTERM to this process."""

    def __init__(
        self, folder: Path, program: str, stop_seconds: float = 60.0, listeners: Sequence[socket.socket] = ()
    ) -> None:
        self.folder = folder
        self.ups = 0
        command = [sys.executable, "-c", f"import sys; {program}"]
        self.supervisor = Supervisor(command, folder, stop_seconds, listeners)

    @property
    def pids(self) -> list[int]:
        """The process ids that it runs."""
        return sorted(process.pid for process in self.supervisor._running)

    def run(self, number: int, then: Callable[[], None] = lambda: None) -> int:
        """Run this many; when they are up, run ``then`` in a thread, and stop them. Return the exit code."""

        async def supervise() -> int:
            def ready() -> None:
                self.ups += 1
                tasks.append(loop.create_task(act()))

            async def act() -> None:
                await asyncio.to_thread(then)
                os.kill(os.getpid(), signal.SIGTERM)

            loop, tasks = asyncio.get_running_loop(), list[asyncio.Task[None]]()
            async with asyncio.timeout(60):
                return await self.supervisor.run(number, ready)

        return asyncio.run(supervise())


def test_ready_once_all_are_up(tmp_path: Path) -> None:
    """It is called once, and SIGTERM stops all."""
    running = RunningSupervisor(tmp_path, STEADY)
    seen: list[int] = []
    assert running.run(3, lambda: seen.extend(running.pids)) == 0
    assert (len(seen), running.ups, running.pids) == (3, 1, [])


def test_failed_first_start_ends_the_supervisor(tmp_path: Path) -> None:
    """It exits with the first one's code; the others are not started."""
    running = RunningSupervisor(tmp_path, f"open({str(tmp_path / 'begun')!r}, 'a').write('x'); {FAILING}")
    assert running.run(3) == 3
    assert (running.ups, (tmp_path / "begun").read_text()) == (0, "x")


def test_ended_process_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log names slot and signal, its metrics are merged, and ready is not called again."""
    running = RunningSupervisor(
        tmp_path, f'open(sys.argv[1], \'w\').write(\'{{"counted": {{}}, "gauges": {{}}, "gone": []}}\'); {STEADY}'
    )

    def kill() -> None:
        first = running.pids[0]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: first not in running.pids and len(running.pids) == 2)
        wait_until(lambda: len(list(tmp_path.glob("*-2.json"))) == 1)

    with caplog.at_level(logging.WARNING):
        assert running.run(2, kill) == 0
    (line,) = told(caplog)
    assert line in {f"gateway process {slot} ended: killed by SIGKILL; another in 0.5 s" for slot in (1, 2)}
    assert running.ups == 1
    assert not list(tmp_path.glob("*.json"))


def test_restart_delay_grows(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """It doubles up to a maximum, because each start loads the models."""
    monkeypatch.setattr(processes, "MIN_RESTART_SECONDS", 0.01)
    monkeypatch.setattr(processes, "MAX_RESTART_SECONDS", 0.04)
    with caplog.at_level(logging.WARNING):
        running = RunningSupervisor(tmp_path, BRIEF)
        assert running.run(1, lambda: wait_until(lambda: len(told(caplog)) >= 5)) == 0
    pauses = [message.rpartition(" in ")[2] for message in told(caplog)[:5]]
    assert pauses == ["0.01 s", "0.02 s", "0.04 s", "0.04 s", "0.04 s"]
    assert told(caplog)[0].startswith("gateway process 1 ended: exit code 0;")


def test_restart_delay_is_reset_after_a_long_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier ends do not count any more."""
    monkeypatch.setattr(processes, "MIN_RESTART_SECONDS", 0.01)
    monkeypatch.setattr(processes, "STABLE_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING):
        assert RunningSupervisor(tmp_path, BRIEF).run(1, lambda: wait_until(lambda: len(told(caplog)) >= 3)) == 0
    assert {message.rpartition(" in ")[2] for message in told(caplog)} == {"0.01 s"}


def test_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """The exit code is 1."""
    running = RunningSupervisor(tmp_path, IGNORES_SIGTERM, stop_seconds=0.5)
    assert running.run(2) == 1
    assert running.pids == []


def test_stopping_supervisor_keeps_no_port_open(tmp_path: Path) -> None:
    """Nothing would accept what waits there: from the end of the last process on, connections are refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        program = "import signal, time; print('up', flush=True); signal.sigwait([15]); time.sleep(0.3)"
        running = RunningSupervisor(
            tmp_path, "import signal; signal.pthread_sigmask(0, [15]); " + program, 60.0, [listener]
        )
        assert running.run(1, lambda: socket.create_connection(address).close()) == 0
        assert listener.fileno() == -1
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


def test_no_connection_begins_once_the_supervisor_stops(tmp_path: Path) -> None:
    """A member that still has the socket would reset it at its end."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, listener.dup() as inherited:
        Supervisor([], tmp_path, 1.0, [listener])._stop()
        with pytest.raises(TimeoutError):
            socket.create_connection(inherited.getsockname(), timeout=0.2)


def test_output_never_blocks_a_process(tmp_path: Path) -> None:
    """Output beyond a pipe's capacity is discarded."""
    program = CHATTY.replace("print('y')", f"open({str(tmp_path / 'done')!r}, 'w')")
    assert RunningSupervisor(tmp_path, program).run(1, lambda: wait_until((tmp_path / "done").exists)) == 0


def test_failed_restart_is_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that is out of memory for a moment."""
    monkeypatch.setattr(processes, "MIN_RESTART_SECONDS", 0.01)
    running = RunningSupervisor(tmp_path, STEADY)

    def starve() -> None:
        running.supervisor._command = [str(tmp_path / "none")]
        os.kill(running.pids[0], signal.SIGKILL)
        wait_until(lambda: any("No such file" in message for message in told(caplog)))
        running.supervisor._command = [sys.executable, "-c", STEADY]
        wait_until(lambda: len(running.pids) == 1)

    with caplog.at_level(logging.WARNING):
        assert running.run(1, starve) == 0


def test_missing_temporary_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, before anything is started."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"server\.processes: several need a folder in .*none: No such file"):
        processes.serve(tmp_path / "none.yaml", ServerSection(port=0, processes=2), lambda _: None)


def test_member_is_identified_by_its_file(tmp_path: Path) -> None:
    """A replacement has the same slot; all but the first join others."""
    first, second, again = (Member.create(tmp_path, slot, serial) for slot, serial in ((1, 0), (2, 1), (1, 10)))
    assert [each.slot for each in (first, second, again)] == ["1", "2", "1"]
    assert [each.joins for each in (first, second, again)] == [False, True, True]
    merge_ended(again.file)
    assert not list(tmp_path.iterdir())
