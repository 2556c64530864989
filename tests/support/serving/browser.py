"""A real Chromium without network, driven over the DevTools protocol on a pair of pipes."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SECONDS = 60.0
CONSOLE_EVENTS = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}

ONLY_THIS_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Chromium's option by which it finds no other host."""

EXECUTE = """
import os, sys
commands, answers, program, *options = sys.argv[1:]
os.dup2(int(commands), 3)
os.dup2(int(answers), 4)
os.execv(program, [program, *options])
"""
"""Starts a program with two pipes as the descriptors 3 and 4, where Chromium expects them."""


class Browser:
    """One page; ``messages`` are those of its console, ``requests`` the addresses that it asked for."""

    def __init__(self, sending: int, receiving: int) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._sending, self._receiving = sending, receiving
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command, and return its result."""
        number = next(self._numbers)
        message: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._sending, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != number:
            self._note(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, address: str) -> None:
        """Open a page; its console and requests begin anew."""
        self.call("Page.navigate", url="about:blank")
        self.messages.clear()
        self.requests.clear()
        self.call("Page.navigate", url=address)

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - any JSON
        """The value of an expression of JavaScript."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str) -> Any:  # noqa: ANN401 - any JSON
        """Wait until an expression is true, and return its value."""
        deadline = time.monotonic() + SECONDS
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, (expression, self.messages)
            time.sleep(0.02)
        return value

    def wait_for_message(self, text: str) -> None:
        """Wait until the console has a message with this text."""
        deadline = time.monotonic() + SECONDS
        while not any(text in message for message in self.messages):
            assert time.monotonic() < deadline, self.messages
            self.settle()

    def settle(self) -> None:
        """Let the page draw what it has, and take the messages of it."""
        pause = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))"
        self.call("Runtime.evaluate", expression=pause, awaitPromise=True)

    def click(self, selector: str, text: str = "") -> None:
        """Click the first element of a selector with this text, once it is there."""
        self.wait_for(
            f"(e => e && (e.click(), true))([...document.querySelectorAll({json.dumps(selector)})]"
            f".find(e => e.textContent.includes({json.dumps(text)})))"
        )

    def write(self, selector: str, text: str) -> None:
        """Write into the first field of a selector, once it is there, and leave it."""
        field = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{field} && ({field}.focus(), document.activeElement === {field})")
        self.call("Input.insertText", text=text)
        self.evaluate(f"{field}.blur()")
        self.wait_for(f"{field}?.value === {json.dumps(text)}")

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") in CONSOLE_EVENTS:
            self.messages.append(json.dumps(event["params"]))
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            data = os.read(self._receiving, 1 << 20)
            assert data, "Chromium has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


def chromium_program() -> str:
    """The path of Chromium; without it the test is skipped."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    return program


@contextmanager
def chromium(folder: Path, size: str = "1440,1600") -> Iterator[Browser]:
    """A running Chromium that finds no host but 127.0.0.1, with its profile in a folder."""
    program = chromium_program()
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
        f"--window-size={size}", f"--user-data-dir={folder}",
        ONLY_THIS_HOST, "about:blank",
    ]  # fmt: skip
    (commands, sending), (receiving, answers) = os.pipe(), os.pipe()
    command = [sys.executable, "-c", EXECUTE, str(commands), str(answers), program, *options]
    with subprocess.Popen(command, pass_fds=(commands, answers), stderr=subprocess.DEVNULL) as process:
        os.close(commands)
        os.close(answers)
        try:
            yield Browser(sending, receiving)
        finally:
            process.terminate()
            process.wait(SECONDS)
            os.close(sending)
            os.close(receiving)
