"""The selection by the draw is a random sample of each scope, however floors overlap."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.intake.sampling import Sampler
from tightrope.offline.qualification.samples.sample_columns import SampleColumns

SCOPES = ("model", "age=old", "age=young", "sex=f")
SHARES = st.floats(0, 1)
SAMPLERS = st.builds(Sampler, SHARES, st.dictionaries(st.sampled_from(SCOPES[1:]), SHARES))


def kept(sampler: Sampler, draw: float, own: set[str]) -> bool:
    """Whether the gateway keeps a request of these subgroups."""
    return draw < sampler.inclusion(own)


def rows(samplers: list[Sampler], draws: list[float]) -> list[Any]:
    """Kept rows, each from a time with its own rates."""
    headers = [SimpleNamespace(scopes=SCOPES[1:], rates=tuple(map(each.scope_rate, SCOPES))) for each in samplers]
    record = {"time": 0.0, "label": -1, "label_probability": 0.0}
    return [
        SimpleNamespace(header=header, record={**record, "draw": draw})
        for header, draw in zip(headers, draws, strict=True)
    ]


@given(st.lists(st.tuples(SAMPLERS, st.floats(0, 1, exclude_max=True)), min_size=1, max_size=5), st.data())
def test_the_draw_alone_selects(traffic: list[tuple[Sampler, float]], data: st.DataObject) -> None:
    """A row of a scope is selected for it if its draw lies below one rate, in any other subgroup and at any time. Each
    such row was kept, so that none is missing.
    """
    samplers, draws = [each for each, _ in traffic], [draw for _, draw in traffic]
    drawn = SampleColumns.of(rows(samplers, draws), SCOPES).drawn()
    for index, scope in enumerate(SCOPES):
        rate = min(each.scope_rate(scope) for each in samplers)
        assert drawn[:, index].tolist() == [draw < rate for draw in draws]
        for row, (sampler, draw) in enumerate(traffic):
            others = data.draw(st.sets(st.sampled_from(SCOPES[1:])))
            assert kept(sampler, draw, others | {scope} - {"model"}) or not drawn[row, index]


def test_selected_rows_are_as_harmed_as_all_traffic() -> None:
    """A floor keeps the harmed group five times as often: all kept rows would say three times the harm."""
    rng, sampler = np.random.default_rng(1), Sampler(0.1, {"sex=f": 0.5, "age=old": 0.9})
    size = 40_000
    women, old, draws = rng.random(size) < 0.2, rng.random(size) < 0.3, rng.random(size)
    harmed = rng.random(size) < np.where(women, np.where(old, 0.4, 0.1), 0.02)
    own = [
        {name for name, has in (("sex=f", woman), ("age=old", aged)) if has}
        for woman, aged in zip(women, old, strict=True)
    ]
    is_kept = np.array([kept(sampler, draw, each) for draw, each in zip(draws, own, strict=True)])
    drawn = SampleColumns.of(rows([sampler] * int(is_kept.sum()), draws[is_kept].tolist()), SCOPES).drawn()

    def errors(chosen: Any, scope: Any) -> float:  # noqa: ANN401 - masks
        mine, truth = harmed[is_kept][chosen & scope[is_kept]], harmed[scope].mean()
        return float(abs(mine.mean() - truth) / np.sqrt(truth * (1 - truth) / len(mine)))

    everyone = np.ones(size, dtype=bool)
    assert errors(drawn[:, 0], everyone) < 3
    assert errors(drawn[:, SCOPES.index("sex=f")], women) < 3
    assert errors(drawn[:, SCOPES.index("age=old")], old) < 3
    all_kept = np.ones(int(is_kept.sum()), dtype=bool)
    assert errors(all_kept, everyone) > 10
    assert errors(all_kept, women) > 5
