"""The written file: what is read back is what was meant, and each line has its source."""

import pytest
from ruamel.yaml import YAML

from tightrope.offline.initialization.yaml_text import Line, yaml_text


@pytest.mark.parametrize(
    "value",
    [
        "a.onnx",
        "/models/a b.onnx",
        "../x-1.onnx",
        "no",
        "1e5",
        "123",
        "true",
        'quo"te',
        "ä#: x",
        ".5",
        "",
        0.5,
        12,
        [1, 2],
    ],
)
def test_value_is_read_back(value: object) -> None:
    """Also where YAML would read the bare text as something else."""
    text = yaml_text(["title"], [Line(0, "models", None, ""), Line(1, "m", None, ""), Line(2, "key", value, "given")])
    assert YAML(typ="safe").load(text) == {"models": {"m": {"key": value}}}


def test_lines_have_their_sources_in_one_column() -> None:
    """After the title; longer lines have theirs behind."""
    lines = yaml_text(["title"], [Line(0, "a", "b", "probe"), Line(0, "c", "d" * 40, "data")]).splitlines()
    assert lines[0] == "# title"
    assert lines[1].index("#") == 35
    assert lines[2].endswith("d # data")
