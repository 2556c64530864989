"""Tests of the comparison with another revision: arithmetic, checkout, and command line."""

import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.serving import __main__ as command
from benchmarks.serving import comparison, revision
from benchmarks.serving.comparison import Comparison, interval, split
from benchmarks.serving.load import Slice
from benchmarks.serving.models import MODEL_KINDS
from benchmarks.serving.process import NotStartedError
from benchmarks.serving.revision import RevisionError, Tree, pins
from benchmarks.serving.server_group import ServerResult
from benchmarks.serving.servers import GATEWAY

HERE = Tree("this tree", revision.ROOT, Path(sys.executable))


def made_up(ratios: list[float]) -> Comparison:
    """A cell with these ratios, on a machine whose speed changes tenfold between turns."""
    old = [1000.0 * 10 ** (turn % 2) for turn in range(len(ratios))]
    new = [rate * ratio for rate, ratio in zip(old, ratios, strict=True)]
    return Comparison("S", 32, new, old, cpu_ratios=[1 / ratio for ratio in ratios])


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96], "LOSES"),
        ([0.90, 0.91, 0.92, 0.98, 0.99, 1.00, 1.01], "open"),
        ([0.98, 0.99, 1.00, 1.00, 1.01, 1.02, 1.03], "holds"),
        ([1.0] * 20 + [0.3] * 3, "holds"),
    ],
    ids=["below the floor", "around it", "above it", "above it but for a few turns"],
)
def test_a_cell_loses_when_its_interval_lies_wholly_below_the_floor(ratios: list[float], verdict: str) -> None:
    """An interval on both sides of the floor decides nothing; a few disturbed turns do not change the median."""
    assert made_up(ratios).verdict(0.97) == verdict


def test_the_floor_can_be_chosen() -> None:
    """An interval loses against a high floor and holds against a low one."""
    cell = made_up([0.955, 0.96, 0.96, 0.96, 0.965, 0.965])
    assert [cell.verdict(floor) for floor in (0.97, 0.95)] == ["LOSES", "holds"]


def test_a_cell_whose_requests_fail_only_here_fails() -> None:
    """A server that refuses requests is fast; requests that fail at both revisions are no difference."""
    cell = made_up([1.2] * 6)
    cell.new_errors = 1
    assert cell.verdict(0.97) == "FAILS"
    cell.old_errors = 1
    assert cell.verdict(0.97) == "holds"


def test_the_interval_covers_the_true_ratio() -> None:
    """In 95 % of simulated cells; the bootstrap is not exact for few turns, so 90 % are enough."""
    random = np.random.default_rng(3)
    cells = np.exp(random.normal(np.log(0.98), 0.05, (200, 24)))
    covered = [low <= 0.98 <= high for low, high in (interval(ratios) for ratios in cells.tolist())]
    assert np.mean(covered) > 0.9


def test_the_interval_is_reproducible() -> None:
    """Equal ratios give an equal interval, which contains the median."""
    ratios = [0.9, 1.0, 1.1, 1.05, 0.95, 1.02]
    assert interval(ratios) == interval(ratios)
    assert interval(ratios)[0] <= np.median(ratios) <= interval(ratios)[1]


def test_turns_are_split_over_starts() -> None:
    """All turns are measured, and no start is without a turn."""
    assert split(24, 3) == [8, 8, 8]
    assert split(7, 3) == [3, 2, 2]
    assert split(2, 3) == [1, 1]


def test_slices_are_paired_by_turn() -> None:
    """The slices of several starts are appended in order, with their errors."""
    cell = Comparison("S", 1)
    for new, old in ((100, 50), (30, 60)):
        cell.add(ServerResult("new", [Slice(new, 1.0, 1)], [0.3]), ServerResult("old", [Slice(old, 1.0)], [0.3]))
    assert cell.ratios == [2.0, 0.5]
    assert cell.cpu_ratios == pytest.approx([0.5, 2.0])
    assert (cell.new_errors, cell.old_errors) == (2, 0)


def test_the_table_shows_every_cell() -> None:
    """A row has both rates, the median ratio, its interval, and the verdict."""
    console = Console(width=200, record=True)
    console.print(comparison.table([made_up([0.9] * 6)], ("this tree", "d93bd25"), 0.97))
    shown = console.export_text()
    for text in ("this tree, req/s", "d93bd25, req/s", "0.900", "0.900 to 0.900", "1.111", "LOSES"):
        assert text in shown


def test_comments_of_a_lock_do_not_matter(tmp_path: Path) -> None:
    """Two locks with the same packages and hashes share an environment."""
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    first.write_text("# written by uv\na==1 \\\n    --hash=sha256:00\n    # via b\n")
    second.write_text("a==1 \\\n    --hash=sha256:00\n")
    other.write_text("a==2 \\\n    --hash=sha256:00\n")
    assert pins(first) == pins(second) != pins(other)


def test_a_candidate_runs_from_its_tree(tmp_path: Path) -> None:
    """The command changes to the tree, imports from it, and uses its interpreter; the arguments are unchanged."""
    tree = Tree("old", tmp_path, tmp_path / "python")
    kind = MODEL_KINDS["S"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.serving.servers.model_files", lambda _: {"baseline": "b", "compressed": "c"})
        command_ = tree.candidate(GATEWAY).command(kind, tmp_path, 80)
    assert command_[:4] == ["env", "-C", str(tmp_path), f"PYTHONPATH={tmp_path}"]
    assert command_[4:] == [str(tmp_path / "python"), "-m", "benchmarks.serving.gateway", command_[-1]]


def test_a_tree_with_the_code_of_another_is_refused(tmp_path: Path) -> None:
    """This tree is accepted; a folder whose interpreter imports this tree's modules instead is not."""
    HERE.verify()
    (tmp_path / "benchmarks").symlink_to(revision.ROOT / "benchmarks")
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.path.insert(0, {str(revision.ROOT)!r})")
    with pytest.raises(RevisionError, match="is imported from"):
        Tree("old", tmp_path, HERE.python).verify()


def test_an_unknown_revision_is_an_error() -> None:
    """The error names the revision, in git's words."""
    with pytest.raises(RevisionError, match="no-such-revision"):
        revision.checked_out("no-such-revision")


@pytest.mark.parametrize(("ratio", "code"), [(0.9, 1), (1.0, 0)])
def test_the_exit_code_says_whether_a_cell_loses(
    ratio: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The options choose cells, connections, turns and seconds; the table is printed in both cases."""
    calls: list[object] = []

    def compare(trees: tuple[Tree, Tree], cells: object, turns: int, seconds: float, *_: object) -> list[Comparison]:
        calls.append(([tree.name for tree in trees], cells, turns, seconds))
        return [made_up([ratio] * 6)]

    monkeypatch.setattr(revision, "checked_out", lambda name: Tree(name, revision.ROOT, HERE.python))
    monkeypatch.setattr(comparison, "compare", compare)
    options = ["--cells", "S,M", "--connections", "1,32", "--turns", "6", "--seconds", "2"]
    monkeypatch.setattr("sys.argv", ["serving", "--against", "abc", *options])
    assert command.main() == code
    assert calls == [(["this tree", "abc"], {"S": [1, 32], "M": [1, 32]}, 6, 2.0)]
    assert f"{ratio:.3f}" in capsys.readouterr().out


def test_a_server_that_does_not_start_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code differs from that of a cell that loses."""

    def compare(*_: object) -> list[Comparison]:
        raise NotStartedError("abc: it did not answer in time")

    monkeypatch.setattr(revision, "checked_out", lambda name: Tree(name, revision.ROOT, HERE.python))
    monkeypatch.setattr(comparison, "compare", compare)
    monkeypatch.setattr("sys.argv", ["serving", "--against", "abc", "--cells", "S"])
    assert command.main() == 2
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--against", "abc", "--turns", "3"], "--turns 3 is too few for an interval: at least 6"),
        (["--cells", "sampled"], "--cells sampled needs --against"),
        (["--against", "abc", "--cells", "X"], "there is no 'X'; there are S, M, MC, binary, sampled, grpc"),
    ],
)
def test_wrong_options_are_refused(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names the option and the valid values."""
    monkeypatch.setattr("sys.argv", ["serving", *options])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert message in capsys.readouterr().err
