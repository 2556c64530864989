import json
from pathlib import Path

from tests.support.commands import tightrope
from tests.support.qualified_pair import GOLDEN, demo_config_file


def test_the_command_says_who_is_harmed_and_exits_with_the_verdict(tmp_path: Path) -> None:
    """As CI runs it: register the criteria, then judge by them."""
    config = demo_config_file(tmp_path, "bad_distilled_households_only")
    plan = tightrope("qualify", config, "--plan", "--json")
    digest = json.loads(plan.stdout)["criteria_digest"]
    done = tightrope("qualify", config, GOLDEN, "--expect", digest, "--out", tmp_path / "b.jsonl", COLUMNS="80")
    assert done.returncode == 3, done.stderr
    assert "of 1,000 in residence=group_quarters about 539 get another answer" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if not line.startswith("wrote "))


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    """Exit code 1 for other criteria than registered, 2 without rows."""
    config = demo_config_file(tmp_path, "good_int8")
    refused = tightrope("qualify", config, GOLDEN, "--expect", "sha256:00")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert tightrope("qualify", config).returncode == 2
    assert tightrope("qualify", config, GOLDEN, "--from-samples").returncode == 2
    assert tightrope("qualify", config, GOLDEN, "--since", "2h").returncode == 2
    unkept = tightrope("qualify", config, "--from-samples")
    assert (unkept.returncode, len(unkept.stderr.splitlines())) == (1, 1)
    assert "has no kept rows" in unkept.stderr
