"""Made-up vetoes of labels in snapshots."""

from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tightrope.monitors.detector import BETS
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
