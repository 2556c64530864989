"""A process ends in time after a signal, also if what it runs hangs."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tightrope.serving.exit_deadline import ExitDeadline

PROGRAM = """
import asyncio, logging, signal, sys, threading, time
from tightrope.serving.exit_deadline import ExitDeadline

async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: print("told", flush=True))
    with ExitDeadline(0.5, [signal.SIGTERM]):
        print("up", flush=True)
        {what}

{runner}
"""
ASYNCIO, UVLOOP = "asyncio.run(main())", "import uvloop; uvloop.run(main())"
HANGS = {
    "loop": "time.sleep(60)",
    "awaits": "await asyncio.sleep(60)",
    "thread": "threading.Thread(target=time.sleep, args=(60,), name='stuck').start()",
    "executor": "await asyncio.to_thread(time.sleep, 60)",
    "join": "sleeper = threading.Thread(target=time.sleep, args=(60,), daemon=True); sleeper.start(); sleeper.join()",
}


@pytest.mark.parametrize(("what", "runner"), [("loop", ASYNCIO), *((what, UVLOOP) for what in sorted(HANGS))])
def test_process_that_hangs_is_ended(what: str, runner: str) -> None:
    """With exit code 1, and a line that names what hangs."""
    program = PROGRAM.format(what=HANGS[what], runner=runner)
    if what == "thread":
        program = program.replace("start()", "start(); await asyncio.sleep(0.2)")
    with subprocess.Popen([sys.executable, "-P", "-c", program], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = process.wait(20)
        assert 0.4 < time.monotonic() - began < 10.0
        assert code == 1
        error = process.stderr.read()
        assert "ended by force 0.5 s after the signal to stop (server.drain_seconds); still running: " in error
        named = {"thread": "stuck in ", "join": "MainThread in main (<string>:9), called by "}
        assert named.get(what, "MainThread in ") in error


def test_signals_reach_the_event_loop_and_one_deadline_begins() -> None:
    """Also a second signal; without one nothing is counted, and other signals do not count."""
    ends: list[int] = []
    seen: list[int] = []

    async def run(*numbers: int) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            loop.add_signal_handler(number, seen.append, int(number))
        with ExitDeadline(0.1, [signal.SIGUSR1], ends.append):
            for sent in numbers:
                os.kill(os.getpid(), sent)
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)

    asyncio.run(run(signal.SIGUSR2))
    assert (ends, seen) == ([], [signal.SIGUSR2])
    asyncio.run(run(signal.SIGUSR1, signal.SIGUSR1))
    assert (ends, seen[1:]) == ([1], [signal.SIGUSR1] * 2)
    assert not [thread for thread in threading.enumerate() if thread.name == "exit-signals"]
