"""Fresh processes are started only by the tests of costs: each takes seconds."""

import pytest

from tightrope.offline.qualification import costs

TESTS_OF_COSTS = ("test_costs", "test_cost_cells", "test_fresh_process")


@pytest.fixture(autouse=True)
def _no_fresh_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.path.stem not in TESTS_OF_COSTS:
        monkeypatch.setattr(costs, "run_fresh", lambda *_, **__: None)
