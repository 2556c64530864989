"""Load in a closed loop, by wrk: so many connections, each asks again as soon as it has its answer."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.process import Request
from benchmarks.serving.requests import NUMBER

SCRIPT = """\
local requests, n, asked = {{}}, 0, 0
function init(args)
  for _, one in ipairs({{
{bodies}
  }}) do
    requests[#requests + 1] = wrk.format("POST", "{path}", {headers}, one)
  end
end
function request()
  n = n % #requests + 1
  {answer}
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('\\n{{"requests":%d,"micros":%d,"errors":%d,"p50":%.0f,"p99":%.0f}}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


AS_IT_IS = "return requests[n]"
COUNTED = (
    f'asked = asked + 1; return (string.gsub(requests[n], "{NUMBER}", string.format("%0{len(NUMBER)}d", asked), 1))'
)


class NoWrkError(Exception):
    """There is no load to be had."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What some seconds of load came to: answers, seconds, errors, and latencies in milliseconds."""

    requests: int
    seconds: float
    errors: int = 0
    p50: float = float("nan")
    p99: float = float("nan")

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


Load = Callable[[str, int, float], Slice]
"""Loads an address by so many connections for so many seconds."""

Loader = Callable[[Sequence[Request], Path], Load]
"""Prepares a load of these requests, in a folder of its own."""


def wrk(requests: Sequence[Request], folder: Path) -> Load:
    """These requests in turn, by one thread; where a header is `NUMBER`, each has its own.

    Raises:
        NoWrkError: when wrk is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise NoWrkError("wrk is not installed: apt-get install wrk")
    script = folder / "requests.lua"
    bodies = ",\n".join(_lua(request.body) for request in requests)
    headers = "{" + ", ".join(f'["{name}"] = "{value}"' for name, value in requests[0].headers.items()) + "}"
    answer = COUNTED if NUMBER in requests[0].headers.values() else AS_IT_IS
    script.write_text(SCRIPT.format(bodies=bodies, headers=headers, path=requests[0].path, answer=answer))

    def load(address: str, connections: int, seconds: float) -> Slice:
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(script)]
        done = subprocess.run([found, *options, address], check=True, capture_output=True, text=True)  # noqa: S603 - ours
        told = json.loads(done.stdout.splitlines()[-1])
        return Slice(told["requests"], told["micros"] / 1e6, told["errors"], told["p50"] / 1e3, told["p99"] / 1e3)

    return load


def _lua(body: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in body) + '"'
