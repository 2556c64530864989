import re

from ruamel.yaml import YAML

from tests.house.sources import ROOT


def test_hooks_are_the_commands_of_make_check() -> None:
    """A commit is checked by exactly what `make check` runs, from `.venv`, without a remote repository."""
    (repository,) = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    recipe = re.search(r"^check:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert recipe is not None
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    assert [hook["entry"] for hook in repository["hooks"]] == commands
    assert all(hook["language"] == "system" for hook in repository["hooks"])
