"""The sums behind intervals, made up for tests of the wire."""

from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tightrope.monitors.intervals.checkpoints import Checkpoints
from tightrope.monitors.intervals.cohorts import Cohorts
from tightrope.monitors.intervals.estimates import Estimates
from tightrope.monitors.verdict import Onset

COUNT, TEXT, TIME = st.integers(0, 2**62), st.text(max_size=8), st.floats(-1e12, 1e12)


@st.composite
def estimates(draw: st.DrawFn) -> Estimates:
    """The sums behind intervals, of any number of cells."""
    every, rates, points = (draw(st.integers(0, 4)) for _ in range(3))
    size = st.floats(0, 2.0**20, width=32)
    rows, start = (draw(arrays("<i8", length, elements=COUNT)) for length in (points, rates))
    onset = st.builds(Onset, COUNT, COUNT, COUNT, TEXT, TIME)
    return Estimates(
        Cohorts(
            draw(arrays("<f8", every, elements=size)),
            draw(arrays("<f8", (every, 3, 2, 3), elements=size)),
            draw(arrays("<f8", (every, 3), elements=size)),
        ),
        Checkpoints(
            rows,
            draw(arrays("<f8", points, elements=TIME)),
            *(draw(arrays("<f4", (points, rates), elements=size)) for _ in range(2)),
            start,
            draw(arrays("<f8", rates, elements=TIME | st.just(float("nan")))),
        ),
        draw(st.dictionaries(TEXT, st.dictionaries(TEXT, onset, max_size=2), max_size=2)),
        draw(st.booleans()),
    )
