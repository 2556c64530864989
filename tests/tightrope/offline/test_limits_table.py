import io
import json
import re
from dataclasses import asdict

from rich.console import Console
from ruamel.yaml import YAML

from tests.support.configs import ROOT
from tightrope.offline.limits import limits
from tightrope.offline.limits_table import print_limits
from tightrope.service.config.loader import load

DEMO = ROOT / "demo" / "tightrope.yaml"
GOLDEN = ROOT / "demo" / "data" / "golden.csv"


def test_demo_shows_the_harmed_scopes() -> None:
    """The student that never saw group quarters, on the demo's rows: 80 columns show harmed scopes and the
    blind spot.
    """
    result = limits(load(DEMO, {}), GOLDEN, None, 10.0)
    assert [len(each.cells) for each in result.monitors] == [23, 23, 23, 1, 23, 22, 23, 23, 23, 23]
    assert json.dumps(asdict(result), allow_nan=False)
    out = Console(file=io.StringIO(), width=80)
    print_limits(result, out)
    assert isinstance(out.file, io.StringIO)
    lines = out.file.getvalue().splitlines()
    text = " ".join(" ".join(lines).split())
    assert re.search(r"disagreement \(the baseline with itself: 0\.000\d, at most 0\.00[0-2]\d\)", text)
    over = text[text.index("over its limit already: ") :].split(" blind spot")[0]
    assert "residence=group_quarters" in over
    assert "residence=household" not in over
    assert "blind spot: race=two_or_more_races, 2.1% of rows, at 0.3 needs about 6,366 requests: 11 min" in text
    assert all(len(line) <= 80 for line in lines if "limits: {" not in line)
    pasted = YAML(typ="safe").load("\n".join(lines[-2:]))
    assert 0.046 < pasted["limits"]["disagreement"] < 0.1
    assert "disagreement" not in pasted["subgroup_limits"]
