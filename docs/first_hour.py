"""The first hour of a new user as a picture of a terminal: `python -m docs.first_hour` runs every command and draws it.

Two ONNX files and a file of rows become a guarded model, in a folder that has nothing else: the demo's census models.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURE = Path(__file__).with_name("first-hour.svg")

FILES = {
    "baseline.onnx": "demo/models/baseline_fp32.onnx",
    "small.onnx": "demo/models/good_distilled.onnx",
    "rows.csv": "demo/data/golden.csv",
    "day.csv": "demo/data/traffic_stable.csv",
}
"""The files in the user's folder, and those of the demo that they are."""

SEND = """\
import csv, http.client, json, sys
server = http.client.HTTPConnection("127.0.0.1:8080")
for row in list(csv.reader(open(sys.argv[1])))[1:]:
    x = {"name": "input", "datatype": "FP32", "shape": [1, 16], "data": [float(value) for value in row[:16]]}
    server.request("POST", "/v2/models/employment/infer", json.dumps({"inputs": [x]}))
    answer = json.loads(server.getresponse().read())
print("the last answer:", answer["outputs"][0]["data"], "by the model that is", answer["parameters"]["served_by"])
"""
"""The user's own program, `send.py`."""

SERVER = "tightrope run tightrope.yaml"
VERDICTS = "curl -s localhost:8080/v1/models/employment/verdicts"
STEPS = (
    "ls -sh",
    "tightrope init baseline.onnx small.onnx --data rows.csv --name employment",
    "cat tightrope.yaml",
    "tightrope check tightrope.yaml",
    f"{SERVER} &",
    "cat send.py",
    "python send.py day.csv",
    f"{VERDICTS} | jq -c '.verdicts[] | {{monitor, outcome, count, mean, limit}}'",
)
"""The commands in their order; one that ends in & stays until the end."""

COLUMNS = 130
START_SECONDS, JUDGE_SECONDS = 60.0, 3.0
"""The longest wait for the server, and the wait for the judge after the last request."""


def main() -> None:
    """Run the steps, and write the picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory(prefix="tightrope-") as name:
        folder = Path(name)
        for file, source in FILES.items():
            shutil.copy(ROOT / source, folder / file)
        (folder / "send.py").write_text(SEND)
        with _server(folder) as start:
            for step in STEPS:
                console.print(Text(f"$ {step}", style="bold"))
                console.print(Text.from_ansi(start() if step.endswith("&") else _output(folder, step)), end="\n\n")
    # Rich's SVG loads fonts from the network; removed, so that the picture is complete in itself.
    drawn = console.export_svg(title="from two files to a guarded model")
    PICTURE.write_text(re.sub(r"@font-face {.*?}", "", drawn, flags=re.DOTALL))
    sys.stdout.write(f"{PICTURE}\n")


def _environment() -> dict[str, str]:
    """The commands of this environment, on a terminal as wide as the picture."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "COLUMNS": str(COLUMNS - 2), "FORCE_COLOR": "1"}


def _output(folder: Path, step: str) -> str:
    if VERDICTS in step:
        time.sleep(JUDGE_SECONDS)
    done = subprocess.run(  # noqa: S603 - the steps above
        ["/bin/sh", "-c", step], cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{step}: {done.stdout}{done.stderr}")
    return f"{done.stdout}{done.stderr}".rstrip("\n")


@contextmanager
def _server(folder: Path) -> Iterator["_Start"]:
    """Yield what starts the server and says how; it ends with the picture."""
    start = _Start(folder)
    try:
        yield start
    finally:
        if start.process is not None:
            start.process.terminate()
            start.process.wait()


class _Start:
    """Starts the server, and waits until it is ready."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> str:
        log = self.folder / "log"
        with log.open("wb") as file:
            self.process = subprocess.Popen(  # noqa: S603 - a step above
                SERVER.split(), cwd=self.folder, env=_environment(), stdout=file, stderr=subprocess.STDOUT
            )
        ends = time.monotonic() + START_SECONDS
        while "memory" not in log.read_text():
            if time.monotonic() > ends or self.process.poll() is not None:
                raise SystemExit(f"{SERVER}: {log.read_text()}")
            time.sleep(0.1)
        return log.read_text().rstrip("\n")


if __name__ == "__main__":
    main()
