"""Made-up vetoes of labels, and sums of reliability curves, in snapshots."""

from dataclasses import fields

from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tightrope.monitors.detector import BETS
from tightrope.monitors.reliability.curve_sums import CellSums, CurveSums
from tightrope.monitors.veto.wealth import Veto

_COUNTS, _MASSES = st.integers(0, 2**62), st.floats(max_value=1e9, allow_nan=False)


@st.composite
def vetoes(draw: st.DrawFn, scopes: int) -> Veto:
    """A veto for a number of scopes."""
    return Veto(
        log_wealth=draw(arrays("<f8", (scopes, len(BETS)), elements=_MASSES)),
        labels=draw(arrays("<i8", scopes, elements=_COUNTS)),
        closed=draw(arrays("<f8", scopes, elements=_MASSES)),
        newest=draw(arrays("<f8", scopes, elements=st.floats(-1e12, 1e12))),
        active=draw(arrays(bool, scopes)),
        agreed=draw(arrays("<i8", scopes, elements=_COUNTS)),
        waiting=draw(arrays("<i8", scopes, elements=_COUNTS)),
        cause=draw(st.text(max_size=20)),
    )


_SUMS = st.floats(0, 2**60)


@st.composite
def curve_sums(draw: st.DrawFn) -> CurveSums:
    """Sums of any number of cells."""
    cells = draw(st.integers(0, 5))
    sums = (draw(arrays("<f8", (2, cells), elements=_SUMS)) for _ in fields(CellSums))
    return CurveSums(CellSums(*sums), draw(arrays(bool, 2)), draw(st.integers(0, 2**62)))
