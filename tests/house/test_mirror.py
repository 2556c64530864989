import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

from tests.house.sources import PACKAGES, ROOT, files, python

EXCUSED = {
    "dashboards/fleet.py": "one of the dashboards: test_boards.py and test_story.py look at every one",
    "dashboards/fleet_tables.py": "as fleet.py",
    "dashboards/model.py": "as fleet.py",
    "dashboards/pipeline.py": "as fleet.py",
    "dashboards/subgroups.py": "as fleet.py",
    "demo/builder/__main__.py": "test_build.py beside its place runs the whole builder",
    "demo/builder/census.py": "the builder's: it needs the public package, where test_build.py runs it",
    "demo/builder/graph.py": "the builder's: test_build.py",
    "demo/builder/networks.py": "the builder's: test_build.py",
    "demo/builder/recipe.py": "the builder's: test_build.py",
    "demo/builder/source.py": "the builder's: test_build.py",
    "service/api/ports.py": "two protocols: what is behind them has tests of its own",
    "service/api/cost/ports.py": "a protocol: service/sampling/ledger/ implements it",
    "service/errors.py": "names of errors, and `quote`: every test of a refused request goes through it",
    "tightrope/cli/offline_commands.py": "tests/tightrope/offline/ run both commands",
    "tightrope/__main__.py": "one call: every test that starts a server goes through it",
}


def has_logic(path: Path) -> bool:
    """Whether a module defines a function or a class."""
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in ast.walk(tree)) or path.name == "__main__.py"


def mirrors(path: Path) -> list[Path]:
    """Return the test files in the place where the module's tests belong."""
    folder = Path("tests") / path.parent
    return [folder / name for name in _names_by_folder()[folder] if _fits(name, path.stem)]


@cache
def _names_by_folder() -> defaultdict[Path, list[str]]:
    found = defaultdict[Path, list[str]](list)
    for file in files():
        found[file.parent].append(file.name)
    return found


def _fits(name: str, module: str) -> bool:
    return name == f"test_{module}.py" or (name.startswith(f"test_{module}_") and name.endswith(".py"))


@cache
def modules() -> tuple[Path, ...]:
    """Return every module with logic to test."""
    return tuple(path for path in python(*PACKAGES) if has_logic(path))


def test_names_are_matched_as_they_are_meant() -> None:
    """A module's tests may be split by topic; tests of a module whose name only begins alike do not count."""
    assert _fits("test_judge.py", "judge")
    assert _fits("test_judge_restart.py", "judge")
    assert not _fits("test_judges.py", "judge")
    assert not _fits("judge.py", "judge")


def test_every_module_has_its_tests_where_they_are_looked_for() -> None:
    """tests/ mirrors the source, so the tests of a module are found without a search."""
    missing = [str(path) for path in modules() if not mirrors(path) and str(path) not in EXCUSED]
    assert missing == []


def test_excuses_are_needed() -> None:
    """An excuse for a module that has tests, or that is gone, must go."""
    known = {str(path): path for path in modules()}
    assert [path for path in EXCUSED if path not in known or mirrors(known[path])] == []


def test_every_test_says_what_it_shows() -> None:
    """A test's name states a fact, and its docstring says what stands behind it."""
    silent = []
    for path in python("tests"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            if named and not ast.get_docstring(node):  # type: ignore[arg-type]
                silent.append(f"{path}: {getattr(node, 'name', '')}")
    assert silent == []


def test_every_test_file_is_collected() -> None:
    """Helpers define no tests: pytest would never run a file whose name it does not collect."""
    stray = [
        str(path)
        for path in python("tests")
        if not path.name.startswith("test_") and "\ndef test_" in (ROOT / path).read_text()
    ]
    assert stray == []
