"""The role that answers while the link to another server is slow, narrow or cut."""

import math
import re
import time
from pathlib import Path

import msgspec
import pytest

from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.remote_pair import RemotePair, remote_pair
from tightrope.monitors.records import Role
from tightrope.offline.pair_evaluation import PairEvaluation, prepare
from tightrope.offline.progress import NO_PROGRESS
from tightrope.offline.qualification.stages import TimedProgress, TimeIsUpError
from tightrope.offline.qualification.stress.link import LINKS, ONE_HOST, LinkCase, LinkFigures, measure_link
from tightrope.offline.qualification.stress.relay import LinkShape
from tightrope.offline.qualification.stress.words import scenario_words
from tightrope.service.adapters.open_inference.model import independent_copy
from tightrope.service.adapters.ports import RunFailedError

SLOW = LinkShape("slow", delay=0.2)
CUT = LinkShape("cut", is_cut=True)
UNBOUNDED = TimedProgress(NO_PROGRESS, None)


def loaded(pair: RemotePair, role: Role, timeout: float = math.inf) -> PairEvaluation:
    """The pair with its rows, with a time limit for calls that its own probing on a busy host does not have."""
    evaluation = prepare(pair.settings, None, pair.rows)
    evaluation.pair.models[role] = independent_copy(evaluation.pair.models[role], most_seconds=timeout)
    return evaluation


def measured(
    pair: RemotePair, shape: LinkShape, role: Role, *, timeout: float = math.inf, seconds: float = 30.0
) -> LinkCase:
    """The figures of one link."""
    found = measure_link(loaded(pair, role, timeout), UNBOUNDED, [shape], seconds)
    return found.links[str(role)][shape.name]


@pytest.mark.parametrize("role", Role)
def test_slow_link_delays_and_the_role_answers(tmp_path: Path, role: Role) -> None:
    """All of a hundred requests, each by the delay at least."""
    with remote_pair(tmp_path, role) as pair:
        found = measured(pair, SLOW, role)
    assert (found.requests, found.answered, found.failed, found.waiting) == (100, {str(role): 100}, 0, 0)
    assert 0.2 <= found.p99 < 5.0


def test_other_role_answers_where_the_link_is_too_slow(tmp_path: Path) -> None:
    """After the time limit of a call, and without it once the circuit breaker is open."""
    with remote_pair(tmp_path, Role.BASELINE) as pair:
        found = measured(pair, SLOW, Role.BASELINE, timeout=0.1)
    assert found.answered == {"compressed": 100}
    assert found.error == "no answer within 0.1 s"


def test_other_role_answers_where_the_link_is_cut(tmp_path: Path) -> None:
    """The line says so, with the first error."""
    with remote_pair(tmp_path, Role.COMPRESSED) as pair:
        found = measured(pair, CUT, Role.COMPRESSED, timeout=0.2)
    assert (found.answered, found.failed, found.waiting) == ({"baseline": 100}, 0, 0)
    assert found.p99 >= 0.2
    words = scenario_words("link", {"links": {"compressed": {"cut": _document(found)}}})
    assert words.startswith("compressed, cut: the baseline answered 100 of 100, 99 of 100 within ")
    assert words.endswith("ms (no answer within 0.2 s)")


def test_cut_link_never_hangs(tmp_path: Path) -> None:
    """A call that may wait for minutes ends with the seconds of the link, and is not counted as answered."""
    with remote_pair(tmp_path, Role.BASELINE, timeout_seconds=300.0) as pair:
        begin = time.monotonic()
        found = measured(pair, CUT, Role.BASELINE, seconds=0.5)
        assert time.monotonic() - begin < 5.0
    assert (found.answered, found.waiting, found.seconds) == ({}, 8, 0.5)
    words = scenario_words("link", {"links": {"baseline": {"cut": _document(found)}}})
    assert re.fullmatch(r"baseline, cut: 8 of 8 were waiting since \d\.\d s at most when 0\.5 s were over", words)


def test_error_of_both_roles_is_told_with_its_time(tmp_path: Path) -> None:
    """Where the other one fails, too."""
    with remote_pair(tmp_path, Role.BASELINE) as pair:
        evaluation = loaded(pair, Role.BASELINE, 0.2)
        evaluation.pair.models[Role.COMPRESSED] = _Failing(evaluation.pair.models[Role.COMPRESSED])  # type: ignore[assignment]
        found = measure_link(evaluation, UNBOUNDED, [CUT]).links["baseline"]["cut"]
    assert (found.answered, found.failed, found.error) == ({}, 100, "no answer within 0.2 s")
    assert found.failed_after >= 0.2
    words = scenario_words("link", {"links": {"baseline": {"cut": _document(found)}}})
    assert words.startswith("baseline, cut: 100 of 100 had an error, the last after ")


def test_time_that_is_up_ends_the_measurement(tmp_path: Path) -> None:
    """Also within a link."""
    with remote_pair(tmp_path, Role.BASELINE, timeout_seconds=300.0) as pair:
        evaluation = prepare(pair.settings, None, pair.rows)
        begin = time.monotonic()
        with pytest.raises(TimeIsUpError):
            measure_link(evaluation, TimedProgress(NO_PROGRESS, begin + 0.5), [CUT, CUT])
        assert time.monotonic() - begin < 5.0


def test_files_have_no_link(tmp_path: Path) -> None:
    """It says so."""
    evaluation = prepare(sided_settings(tmp_path), None, sided_rows(tmp_path))
    assert measure_link(evaluation, UNBOUNDED) == LinkFigures(reason=ONE_HOST)


def test_links_are_those_of_the_page() -> None:
    """Three delays, a narrow link, and one that is cut."""
    assert [(each.delay, each.bytes_per_second, each.is_cut) for each in LINKS] == [
        (0.05, float("inf"), False),
        (0.2, float("inf"), False),
        (1.0, float("inf"), False),
        (0.0, 65536, False),
        (0.0, float("inf"), True),
    ]


class _Failing:
    """A model that fails."""

    def __init__(self, model: object) -> None:
        self._model = model

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def run(self, *_: object) -> object:
        """Fail."""
        raise RunFailedError("the disk is gone")


def _document(case: LinkCase) -> dict[str, object]:
    document: dict[str, object] = msgspec.to_builtins(case)
    return document
