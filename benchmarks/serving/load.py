"""Load in a closed loop, by wrk: so many connections, each asks again as soon as it has its answer."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.process import Request

SCRIPT = """\
local requests, n = {{}}, 0
function init(args)
  for _, one in ipairs({{
{bodies}
  }}) do
    local headers = {headers}
    requests[#requests + 1] = wrk.format("POST", "{path}", headers, one)
  end
end
function request()
  n = n % #requests + 1
  return requests[n]
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('\\n{{"requests":%d,"micros":%d,"errors":%d,"p50":%.0f,"p99":%.0f,"p999":%.0f}}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"""


class NoWrkError(Exception):
    """There is no load to be had."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What some seconds of load came to: answers, seconds, errors, and latencies in milliseconds."""

    requests: int
    seconds: float
    errors: int
    p50: float
    p99: float
    p999: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def script(requests: Sequence[Request], path: Path) -> Path:
    """These requests in turn, as wrk wants them."""
    bodies = ",\n".join(_lua(request.body) for request in requests)
    headers = "{" + ", ".join(f'["{name}"] = "{value}"' for name, value in requests[0].headers.items()) + "}"
    path.write_text(SCRIPT.format(bodies=bodies, headers=headers, path=requests[0].path))
    return path


def _lua(body: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in body) + '"'


def wrk(address: str, lua: Path, connections: int, seconds: float) -> Slice:
    """Load for so long.

    Raises:
        NoWrkError: when wrk is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise NoWrkError("wrk is not installed: apt-get install wrk")
    command = [found, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(lua)]
    done = subprocess.run([*command, address], check=True, capture_output=True, text=True)  # noqa: S603 - our own
    told = json.loads(done.stdout.splitlines()[-1])
    milliseconds = {name: told[name] / 1e3 for name in ("p50", "p99", "p999")}
    return Slice(told["requests"], told["micros"] / 1e6, told["errors"], **milliseconds)
