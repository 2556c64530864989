"""Gateway, worker and judge in one process that serves healthy traffic first, and then a harmful student under faults.

`main` reads cases and prints a line of JSON for each, a `Report`; `cases.py` starts it with the clock of `clock.py`.
"""

import json
import os
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.configs import write_config
from tests.support.faults import faults
from tests.support.faults.clock import active
from tests.support.faults.faults import KINDS
from tests.support.harmful_pair import GROUP, HARM, OTHERS_OFF, Rows, config, traffic
from tests.support.judgement.replays import shortcomings_of_record
from tightrope.monitors.records import Role
from tightrope.offline.incidents.record_files import all_incidents
from tightrope.service.config.loader import load
from tightrope.service.errors import TightropeError
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.wiring.embedded import DATABASE, Embedded, build_embedded

BLIND_SECONDS = 2.0
CHUNK_ROWS = 32
"""Requests that are sent before the harness waits for their judgement."""

JUDGE_WAIT_SECONDS = 0.25
"""Time that the harness waits for the judgement of a chunk."""

HEALTHY_CHUNKS = 8
QUIET_SECONDS = 1.3
"""Time without a harmful answer after which a case ends; the judge's metrics are at most a second old then."""

GIVE_UP_SECONDS = 6.0
"""Time under the faults after which a case ends in any event."""

START_SECONDS = 30.0
JUMP_SECONDS = 1.0
"""The most time between a jump of the clock and the other fault."""


@dataclass
class Report:
    """The outcome of a case: harmful answers after the fault, seconds to the last one, what is left to read, recorded
    incidents, and those whose replay is not equal.
    """

    harmful: int = 0
    seconds: float = 0.0
    answers: int = 0
    errors: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""
    events: list[tuple[str, str]] = field(default_factory=list)
    safe: list[str] = field(default_factory=list)
    incidents: int = 0
    unequal: list[str] = field(default_factory=list)


def settings(folder: Path) -> dict[str, Any]:
    """The configuration: the client names the group in a parameter, and only the minority can trip."""
    whole = config(
        folder,
        subgroups={"group": {"parameter": "group", "values": ["minority", "majority"]}},
        limits={**OTHERS_OFF, "disagreement": 0.5},
    )
    whole["safe_mode"] = {"blind_seconds": BLIND_SECONDS, "min_dwell_seconds": 3600}
    return whole | {"reports": {"keep_rows": 10_000}}


def half_minority(n: int, *, harm: bool, seed: int) -> Rows:
    """Return n rows, every other one of the minority, which the student fails under ``harm``."""
    rows = traffic(n, harm=False, seed=seed)
    rows[:, GROUP] = np.arange(n) % 2 == 0
    rows[:, HARM] = rows[:, GROUP] * harm
    return rows


class Client:
    """A caller that sends one row a request, and spells its id and its group as the active faults say."""

    def __init__(self, parts: Embedded) -> None:
        self.parts = parts
        self.sent = 0

    def request(self, row: Rows) -> InferRequest:
        """Return the request for a row."""
        group = "minority" if row[GROUP] else "majority"
        if "odd_spelling" in active:
            group = f"{group.title()} "
        parameters: Any = {} if "parameter_lost" in active and row[GROUP] else {"group": group}
        name, inputs = "pod-a" if "one_id" in active else None, {"input": row[None]}
        return InferRequest(id=name, parameters=parameters, inputs=inputs, outputs=(), binary_default=False)

    def send(self, row: Rows) -> InferResponse:
        """Send one request."""
        self.sent += 1
        engine = self.parts.service.engine
        return engine.infer(engine.pair("m"), self.request(row))

    def send_healthy(self, seed: int) -> set[object]:
        """Send a chunk that the student does not fail; returns the roles that answered."""
        return {self.send(row).parameters["served_by"] for row in half_minority(CHUNK_ROWS, harm=False, seed=seed)}

    def judged(self) -> int:
        """Rows that the judge has received."""
        progress: Any = self.parts.view.progress("m")
        return int(progress["seen"] + progress["pending"])

    def await_judgement(self, rows: int, timeout: float) -> bool:
        """Wait until the judge has received this number of rows; returns whether it has."""
        deadline = time.monotonic() + timeout
        while self.judged() < rows:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True


def play(client: Client, report: Report) -> None:
    """Send traffic that the student fails, until it has not answered for a while, or too long."""
    began = last = time.monotonic()
    seed, judged = 1000, client.judged()
    while time.monotonic() - last < QUIET_SECONDS and last - began < GIVE_UP_SECONDS:
        seed += 1
        for row in half_minority(CHUNK_ROWS, harm=True, seed=seed):
            try:
                answer = client.send(row)
            except TightropeError as error:
                report.errors.append(str(error))
                continue
            report.answers += 1
            if row[HARM] and answer.parameters["served_by"] == Role.COMPRESSED:
                report.harmful += 1
                last = time.monotonic()
        client.await_judgement(judged + (report.answers + len(report.errors)), JUDGE_WAIT_SECONDS)
    report.seconds = last - began


def run(folder: Path, names: list[str]) -> Report:
    """Play one case in this process."""
    path = write_config(folder, settings(folder))
    loaded = load(path, {})
    switch_on = faults.install(loaded.state / DATABASE)
    parts = build_embedded(loaded)
    pair = parts.service.engine.pair("m")
    faults.roles.update({model.digest: role for role, model in pair.models.items()})
    parts.start()
    client, report = Client(parts), Report()
    for seed in range(HEALTHY_CHUNKS):
        assert client.send_healthy(seed) == {Role.COMPRESSED}, "healthy traffic is the student's"
        assert client.await_judgement(client.sent, START_SECONDS), "healthy traffic is judged"
    metrics: Any = parts.service.engine.metrics
    report.before = metrics.exposition("text/plain")[0].decode()
    switch_on(*(name for name in names if KINDS[name] == "clock"))
    client.send_healthy(HEALTHY_CHUNKS)  # rows with the time after the jump
    client.await_judgement(client.sent, JUMP_SECONDS)
    active.discard("clock_blip")
    switch_on(*(name for name in names if KINDS[name] != "clock"))
    play(client, report)
    report.after = metrics.exposition("text/plain")[0].decode()
    report.safe = list(parts.service.engine.router.routes("m").safe)
    report.events = [(event.scope, event.kind) for _, event in parts.store.events(limit=1000)]
    assert parts.recorder is not None
    parts.recorder.stop(START_SECONDS)
    report.incidents = len(all_incidents(loaded))
    report.unequal = shortcomings_of_record(loaded, folder)
    return report


def main() -> None:
    """Play the cases that come in, a line of JSON each: a folder and the names of faults. A case that fails prints an
    empty line, and its error to standard error.
    """
    for line in sys.stdin:
        folder, *names = json.loads(line)
        child = os.fork()
        if child == 0:
            _play(Path(folder), names)
        if os.waitpid(child, 0)[1]:
            print(flush=True)  # noqa: T201 - the output of this process


def _play(folder: Path, names: list[str]) -> None:
    """Play one case, print its report, and end the process: a part that hangs does not end by itself."""
    code = 1
    try:
        print(json.dumps(asdict(run(folder, names))), flush=True)  # noqa: T201 - as above
        code = 0
    except BaseException:  # noqa: BLE001 - the parent process goes on with the next case
        traceback.print_exc()
    finally:
        os._exit(code)
