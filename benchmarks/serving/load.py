"""Load generator for a closed loop, by wrk: each connection sends its next request when it has its answer."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.process import Request
from benchmarks.serving.requests import NUMBER

SCRIPT = """\
local requests, n, sent = {{}}, 0, 0
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


UNCHANGED = "return requests[n]"
NUMBERED = f'sent = sent + 1; return (string.gsub(requests[n], "{NUMBER}", string.format("%0{len(NUMBER)}d", sent), 1))'


class NoWrkError(Exception):
    """wrk is not installed."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Results of some seconds of load: answers, seconds, errors, and latencies in milliseconds."""

    requests: int
    seconds: float
    errors: int = 0
    p50: float = float("nan")
    p99: float = float("nan")

    @property
    def rate(self) -> float:
        """Requests/s."""
        return self.requests / self.seconds


Load = Callable[[str, int, float], Slice]
"""Loads an address, with a number of connections and of seconds."""

Loader = Callable[[Sequence[Request], Path], Load]
"""Prepares the load of requests, with a folder for its files."""


def wrk(requests: Sequence[Request], folder: Path) -> Load:
    """A load that sends the requests in rotation, from one thread; a header `NUMBER` gets another number in each.

    Raises:
        NoWrkError: wrk is not installed.
    """
    program = shutil.which("wrk")
    if program is None:
        raise NoWrkError("wrk is not installed: apt-get install wrk")
    script = folder / "requests.lua"
    bodies = ",\n".join(_lua(request.body) for request in requests)
    headers = "{" + ", ".join(f'["{name}"] = "{value}"' for name, value in requests[0].headers.items()) + "}"
    answer = NUMBERED if NUMBER in requests[0].headers.values() else UNCHANGED
    script.write_text(SCRIPT.format(bodies=bodies, headers=headers, path=requests[0].path, answer=answer))

    def load(address: str, connections: int, seconds: float) -> Slice:
        options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(script)]
        done = subprocess.run([program, *options, address], check=True, capture_output=True, text=True)  # noqa: S603 - ours
        summary = json.loads(done.stdout.splitlines()[-1])
        milliseconds = summary["p50"] / 1e3, summary["p99"] / 1e3
        return Slice(summary["requests"], summary["micros"] / 1e6, summary["errors"], *milliseconds)

    return load


def _lua(body: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in body) + '"'
