"""The section of the state folder: a path alone, or a map."""

from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.config.state import StateSection


def test_path_alone_is_the_folder(tmp_path: Path) -> None:
    """Relative to the file; the rest has its defaults."""
    state = load(write_config(tmp_path, config(tmp_path) | {"state": "here"}), {}).state
    assert state / "tightrope.db" == tmp_path / "here" / "tightrope.db"
    assert (state.events_days, state.events_most, state.events_file) == (365.0, 1_000_000, False)


def test_map_says_how_long_events_are_kept(tmp_path: Path) -> None:
    """Its folder has a default."""
    given = {"events_days": 30, "events_most": 500, "events_file": True}
    state = load(write_config(tmp_path, config(tmp_path) | {"state": given}), {}).state
    assert state == StateSection(folder=tmp_path / "state", events_days=30.0, events_most=500, events_file=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"events_days": 0}, "state.events_days: input should be greater than 0 (it is 0)"),
        ({"events_most": 0}, "state.events_most: input should be greater than or equal to 1 (it is 0)"),
        ({"event_days": 1}, "state.event_days: there is no such key; did you mean 'events_days'?"),
        (7, "state: must be a folder, or a map with folder: (it is 7)"),
    ],
)
def test_mistake_is_one_line(tmp_path: Path, given: object, expected: str) -> None:
    """With the key, and the value that it has."""
    path = write_config(tmp_path, config(tmp_path) | {"state": given})
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}: {expected}"
