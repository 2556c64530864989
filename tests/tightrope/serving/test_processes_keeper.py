"""Who looks after the processes of a port: replaces them, ends them, and is patient with those that end soon."""

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cluster.cluster import until
from tightrope.service.adapters.prometheus.multiprocess import bury
from tightrope.service.config.loader import ConfigError, Server
from tightrope.serving import processes
from tightrope.serving.processes import Keeper, Member

STEADY = "import signal; print('up', flush=True); signal.pause()"
DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); [signal.pause() for _ in range(9)]"
CHATTY = "import signal; print('up', flush=True); print('x' * 10**6, flush=True); print('y'); signal.pause()"
BRIEF = "print('up', flush=True)"
FAILING = "raise SystemExit(3)"


class Kept:
    """A keeper of processes that run this program, told what comes next by its own signals."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.ups = 0
        self.keeper = Keeper([sys.executable, "-c", f"import sys; {program}"], folder)

    @property
    def pids(self) -> list[int]:
        """Of those that run."""
        return sorted(process.pid for process in self.keeper._running)

    def run(self, number: int, then: Callable[[], None] = lambda: None) -> int:
        """Keep so many; when they are up, and another thread has done what is to be done, all are told to stop."""

        async def keep() -> int:
            def ready() -> None:
                self.ups += 1
                told.append(loop.create_task(act()))

            async def act() -> None:
                await asyncio.to_thread(then)
                os.kill(os.getpid(), signal.SIGTERM)

            loop, told = asyncio.get_running_loop(), list[asyncio.Task[None]]()
            async with asyncio.timeout(60):
                return await self.keeper.keep(number, ready)

        return asyncio.run(keep())


def test_ready_when_all_are_up_and_ended_when_told_to(tmp_path: Path) -> None:
    """Once, however many there are."""
    kept = Kept(tmp_path, STEADY)
    seen: list[int] = []
    assert kept.run(3, lambda: seen.extend(kept.pids)) == 0
    assert (len(seen), kept.ups, kept.pids) == (3, 1, [])


def test_first_that_fails_is_the_end(tmp_path: Path) -> None:
    """With its exit code; the others were never started."""
    kept = Kept(tmp_path, f"open({str(tmp_path / 'begun')!r}, 'a').write('x'); {FAILING}")
    assert kept.run(3) == 3
    assert (kept.ups, (tmp_path / "begun").read_text()) == (0, "x")


def test_one_that_ends_is_replaced_in_its_place_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By what killed it; its metrics are buried; it is said once that all are up."""
    kept = Kept(
        tmp_path, f'open(sys.argv[1], \'w\').write(\'{{"counted": {{}}, "gauges": {{}}, "gone": []}}\'); {STEADY}'
    )

    def kill() -> None:
        first = kept.pids[0]
        os.kill(first, signal.SIGKILL)
        until(lambda: first not in kept.pids and len(kept.pids) == 2)
        until(lambda: len(list(tmp_path.glob("*-2.json"))) == 1)

    with caplog.at_level(logging.WARNING):
        assert kept.run(2, kill) == 0
    (line,) = caplog.messages
    assert line in {f"gateway process {place} ended: killed by SIGKILL; another in 0.5 s" for place in (1, 2)}
    assert kept.ups == 1
    assert not list(tmp_path.glob("*.json"))


def test_pause_grows_while_they_end_soon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a bound: nobody is helped by starting models all the time."""
    monkeypatch.setattr(processes, "PAUSE", 0.01)
    monkeypatch.setattr(processes, "LONGEST_PAUSE", 0.04)
    with caplog.at_level(logging.WARNING):
        kept = Kept(tmp_path, BRIEF)
        assert kept.run(1, lambda: until(lambda: len(caplog.messages) >= 5)) == 0
    pauses = [message.rpartition(" in ")[2] for message in caplog.messages[:5]]
    assert pauses == ["0.01 s", "0.02 s", "0.04 s", "0.04 s", "0.04 s"]
    assert caplog.messages[0].startswith("gateway process 1 ended: exit code 0;")


def test_one_that_lived_long_is_replaced_without_delay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its predecessors' ends are forgotten."""
    monkeypatch.setattr(processes, "PAUSE", 0.01)
    monkeypatch.setattr(processes, "SOON", 0.0)
    with caplog.at_level(logging.WARNING):
        assert Kept(tmp_path, BRIEF).run(1, lambda: until(lambda: len(caplog.messages) >= 3)) == 0
    assert {message.rpartition(" in ")[2] for message in caplog.messages} == {"0.01 s"}


def test_one_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the exit code says that something was cut off."""
    monkeypatch.setattr(processes, "END_SECONDS", 0.5)
    began = time.monotonic()
    kept = Kept(tmp_path, DEAF)
    assert kept.run(2) == 1
    assert time.monotonic() - began < 30
    assert kept.pids == []


def test_what_they_print_holds_nobody_up(tmp_path: Path) -> None:
    """A pipe that nobody reads would be full one day."""
    program = CHATTY.replace("print('y')", f"open({str(tmp_path / 'done')!r}, 'w')")
    assert Kept(tmp_path, program).run(1, lambda: until((tmp_path / "done").exists)) == 0


def test_command_that_cannot_be_started_again_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the machine has no memory at the moment."""
    monkeypatch.setattr(processes, "PAUSE", 0.01)
    kept = Kept(tmp_path, STEADY)

    def starve() -> None:
        kept.keeper._command = [str(tmp_path / "none")]
        os.kill(kept.pids[0], signal.SIGKILL)
        until(lambda: any("No such file" in message for message in caplog.messages))
        kept.keeper._command = [sys.executable, "-c", STEADY]
        until(lambda: len(kept.pids) == 1)

    with caplog.at_level(logging.WARNING):
        assert kept.run(1, starve) == 0


def test_folder_that_cannot_be_made_is_a_mistake_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told in one line, before anything is started."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"server\.processes: several need a folder in .*none: No such file"):
        processes.serve(tmp_path / "none.yaml", Server(port=0, processes=2), lambda _: None)


def test_member_is_told_by_its_file(tmp_path: Path) -> None:
    """Its place is kept by whoever replaces it; all but the first join others."""
    first, second, again = (Member.at(tmp_path, place, serial) for place, serial in ((1, 0), (2, 1), (1, 10)))
    assert [each.place for each in (first, second, again)] == ["1", "2", "1"]
    assert [each.joins for each in (first, second, again)] == [False, True, True]
    bury(again.file)
    assert not list(tmp_path.iterdir())
