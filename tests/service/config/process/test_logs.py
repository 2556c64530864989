"""The section of the log."""

from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.config.process.logs import LogsSection


def test_news_are_logged_in_a_form_that_the_terminal_decides(tmp_path: Path) -> None:
    """Both can be written."""
    assert load(write_config(tmp_path, config(tmp_path)), {}).logs == LogsSection(format=None, level="info")
    given = {"format": "text", "level": "warning"}
    logs = load(write_config(tmp_path, config(tmp_path) | {"logs": given}), {}).logs
    assert logs == LogsSection(format="text", level="warning")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"format": "xml"}, "logs.format: input should be 'json' or 'text' (it is 'xml')"),
        ({"levels": "info"}, "logs.levels: there is no such key; did you mean 'level'?"),
    ],
)
def test_mistake_is_one_line(tmp_path: Path, given: object, expected: str) -> None:
    """With the key, and the value that it has."""
    path = write_config(tmp_path, config(tmp_path) | {"logs": given})
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    (line,) = caught.value.problems
    assert line.endswith(expected)
