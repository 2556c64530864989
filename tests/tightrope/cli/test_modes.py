"""`tightrope modes`: a renamed subgroup in safe mode stops the start until a person maps its mode."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import GROUP, MINORITY, config, traffic
from tests.support.in_process import run_in_process
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring.embedded import DATABASE, build_embedded

Run = Callable[..., int]
RENAMED = "group=few"
CLUSTER = {"bus": {"kafka": {"servers": ["localhost:1"]}}}


def harmed(folder: Path) -> Path:
    """Run until the minority is in safe mode, and rename it in the configuration."""
    path = write_config(folder, config(folder))
    with run_in_process(path) as running:
        for seed in range(40):
            running.send(traffic(96, harm=True, seed=seed))
            if running.states()[MINORITY] == "safe":
                break
        assert running.states()[MINORITY] == "safe"
    names = {"few": [1], "majority": [0]}
    return write_config(folder, config(folder, subgroups={"group": {"column": GROUP, "values": names}}))


def shown(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what a command printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def kinds(folder: Path) -> list[tuple[str, str, str, str]]:
    """Return kind, scope, actor and reason of the events about mapped modes."""
    store = SqliteStore(folder / "state" / DATABASE)
    events = [event for _, event in store.events(limit=1000) if event.kind.startswith("mode-")]
    store.close()
    return [(event.kind, event.scope, event.actor, event.reason) for event in events]


def test_renamed_subgroup_stays_safe_through_the_commands(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The start refuses, `list` shows the mode, `move` gives it to the new name, and its first request is safe."""
    path = harmed(tmp_path)
    with pytest.raises(ConfigError, match=f"{MINORITY} is safe in the stored state and no longer in the configuration"):
        build_embedded(load(path, {}))
    assert run("modes", "list", path, "--json") == 0
    lost = [mode for mode in shown(capsys) if not mode["configured"]]
    assert [(mode["scope"], mode["state"], mode["monitors"]) for mode in lost] == [(MINORITY, "safe", ["disagreement"])]
    assert run("modes", "move", path, MINORITY, RENAMED, "--actor", "ann", "--json") == 0
    assert shown(capsys)[0]["scope"] == RENAMED
    assert kinds(tmp_path) == [("mode-moved", MINORITY, "ann", "the scope has another name")]
    with run_in_process(path) as running:
        assert running.states()[RENAMED] == "safe"
        rows = traffic(6, harm=True)
        served = [answer.parameters["served_by"] for answer in running.send(rows)]
        assert [by == "baseline" for by in served] == (rows[:, GROUP] == 1).tolist()


def test_dropped_mode_lets_the_start_go_on(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reason is required, and the login name is the actor."""
    path = harmed(tmp_path)
    assert run("modes", "drop", path, MINORITY) == 2
    assert run("modes", "drop", path, MINORITY, "--reason", "the group is gone") == 0
    assert f"m {MINORITY}  safe, breached disagreement, not in the configuration" in capsys.readouterr().out
    ((kind, scope, actor, reason),) = kinds(tmp_path)
    assert (kind, scope, reason) == ("mode-dropped", MINORITY, "the group is gone")
    assert actor
    with run_in_process(path) as running:
        assert running.states()[RENAMED] == "normal"


def test_modes_are_not_changed_under_a_running_process(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The judge would overwrite it; `list` works all the time."""
    path = write_config(tmp_path, config(tmp_path))
    with run_in_process(path):
        assert run("modes", "drop", path, "group=x", "--reason", "why") == 1
        assert "modes are moved and dropped while nothing runs" in capsys.readouterr().err
        assert run("modes", "list", path) == 0
        assert "m model  normal" in capsys.readouterr().out


def test_refused_start_releases_the_state(tmp_path: Path) -> None:
    """The lock is free for the command that the line names."""
    path = harmed(tmp_path)
    for _ in range(2):
        with pytest.raises(ConfigError, match="no longer in the configuration"):
            build_embedded(load(path, {}))


@pytest.mark.parametrize(
    ("changes", "arguments", "error"),
    [
        ({}, ["list"], "does not exist yet"),
        (
            CLUSTER,
            ["drop", RENAMED, "--reason", "gone"],
            "a cluster keeps its modes in Kafka, and its judges write them",
        ),
        (CLUSTER, ["move", RENAMED, MINORITY], "give an order for it (release or force-normal), and remove it"),
        (CLUSTER, ["list"], "Kafka at localhost:1: "),
    ],
)
def test_mistake_is_one_line(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, object],
    arguments: list[str],
    error: str,
) -> None:
    """No state yet, a cluster, whose judges have to move modes, or one that does not answer."""
    path = write_config(tmp_path, config(tmp_path) | changes)
    command, *options = arguments
    assert run("modes", command, path, *options) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert error in line


def test_model_must_be_one_of_the_configuration(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With several models it must be given."""
    both = config(tmp_path)
    both["models"]["n"] = both["models"]["m"]
    path = write_config(tmp_path, both)
    with run_in_process(path):
        assert run("modes", "list", path, "--model", "q") == 1
        assert "--model: is 'q'; it must be one of m, n" in capsys.readouterr().err
    assert run("modes", "drop", path, "group=x", "--reason", "why") == 1
    assert "--model: is missing; it must be one of m, n" in capsys.readouterr().err
