import signal
from itertools import islice
from pathlib import Path

from tests.support.judgement.replays import shortcomings_of_record
from tightrope.demo.replay import replay, traffic
from tightrope.demo_run.gateway_process import process_command, read_address, running_process, write_demo_config
from tightrope.offline.incidents.record_files import all_incidents
from tightrope.service.config.loader import load

MODEL = "bad_distilled_households_only"
ROWS_BEFORE, ROWS = 900, 1800
"""Rows before the process is killed, by which the first group is harmed, and all rows."""


def test_the_demo_replays_to_the_byte_across_a_killed_process(tmp_path: Path) -> None:
    """The process is killed while an incident is open, and another one goes on from what was saved."""
    path, _ = write_demo_config(tmp_path, MODEL, 1.0)
    rows = iter(traffic()[:ROWS])
    with running_process(process_command("run", path)) as process:
        assert len(list(replay(read_address(process), list(islice(rows, ROWS_BEFORE)), None))) == ROWS_BEFORE
        _wait_for_incident(path)
        process.send_signal(signal.SIGKILL)
    with running_process(process_command("run", path)) as process:
        list(replay(read_address(process), list(rows), None))
    settings = load(path)
    assert shortcomings_of_record(settings, tmp_path) == []
    (incident,) = all_incidents(settings)
    assert "residence=group_quarters" in incident.scopes
    assert (incident.last, incident.first) == (None, 1)
    assert len(list((settings.state / "journal" / "employment").glob("*.journal"))) > 1


def _wait_for_incident(path: Path) -> None:
    from tests.support.cluster.cluster import wait_until

    wait_until(lambda: all_incidents(load(path)) != [])
