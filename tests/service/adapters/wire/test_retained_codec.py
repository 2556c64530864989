"""Knowledge that outlives a plan, as bytes of a snapshot."""

from dataclasses import replace

import msgspec
import pytest

from tests.support.judgement.comparisons import bit_exact, make_plan
from tightrope.monitors.history.retained import PairRecord, Retained, ScopeRecord
from tightrope.monitors.plan import State, initial_state
from tightrope.monitors.records import Routes
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.retained_codec import read_retained, retained_fields

RECORD = ScopeRecord(Mode(ModeState.LATCHED, flaps=3), ("disagreement",), {"source": {}, "codes": [1]})
RETAINED = Retained(
    orphans={"group=x": RECORD, "group=w": ScopeRecord(Mode(held=True))},
    disabled={"group=a": ("confidence",)},
    pairs=(PairRecord("b", "c1", {}), PairRecord("b", "c2", {"group=a": RECORD})),
    settings={"mode": "armed", "limits.disagreement": 0.02, "subgroups.g.values.a": [1]},
    statement="q1",
)


def test_snapshot_keeps_what_outlives_a_plan() -> None:
    """Equal states have equal bytes, in any order of their maps."""
    state = replace(initial_state(make_plan("disagreement")), retained=RETAINED)
    saved = record_codec.encode_state(state)
    assert bit_exact(record_codec.decode_state(saved)) == bit_exact(state)
    turned = replace(RETAINED, orphans=dict(reversed(RETAINED.orphans.items())))
    assert record_codec.encode_state(replace(state, retained=turned)) == saved


def test_snapshot_of_an_earlier_version_has_none() -> None:
    """It is unknown then: no orphan, no pair, no settings."""
    body = unpack(record_codec.encode_state(initial_state(make_plan("disagreement"))), record_codec.STATE_SCHEMA)
    assert isinstance(body, dict)
    del body["retained"]
    body["modes"] = [{k: v for k, v in mode.items() if k != "breached"} for mode in body["modes"]]
    read = record_codec.decode_state(pack(record_codec.STATE_SCHEMA, body))
    assert read.retained == Retained()
    assert not any(mode.breached for mode in read.modes)


@pytest.mark.parametrize(
    "change",
    [
        {"orphans": {"a": 1}},
        {"orphans": {"a": {"mode": {"state": "wild"}, "monitors": []}}},
        {"disabled": {"a": "disagreement"}},
        {"pairs": [{"harmed": {}}]},
        {"settings": 3},
    ],
)
def test_part_that_does_not_fit_is_an_error(change: dict[str, object]) -> None:
    """The judge then treats the whole state as unreadable."""
    state = initial_state(make_plan("disagreement"))
    body = unpack(record_codec.encode_state(state), record_codec.STATE_SCHEMA)
    assert isinstance(body, dict)
    with pytest.raises(WireError, match=r"state|retained"):
        record_codec.decode_state(pack(record_codec.STATE_SCHEMA, {**body, "retained": body["retained"] | change}))


def test_empty_maps_are_nothing_known() -> None:
    """This holds also for the fields of nothing."""
    assert read_retained({}) == Retained()
    assert read_retained({**retained_fields(Retained()), "pairs": []}) == Retained()


def narrow_state() -> State:
    """A state whose model is narrowed to two classes."""
    state = initial_state(make_plan("disagreement"))
    return replace(state, modes=(Mode(ModeState.SAFE, asked=(3, 5)), *state.modes[1:]))


def test_classes_that_are_asked_again_are_kept_and_published() -> None:
    """A reader of an earlier release finds the model among the safe scopes, and no field that it does not know."""
    state = narrow_state()
    assert record_codec.decode_state(record_codec.encode_state(state)).modes[0].asked == (3, 5)
    routes = Routes("m", 3, ("model",), {"model": "safe"}, asked=(3, 5))
    record = record_codec.encode_routes(routes)
    assert record_codec.decode_routes(record) == routes
    old = msgspec.msgpack.decode(record)["body"]
    assert (old["safe"], "asked" in old) == (["model"], False)


@pytest.mark.parametrize("asked", [[-1], [True], ["3"], 3, [1.5]])
def test_numbers_of_classes_are_checked(asked: object) -> None:
    """In modes and in routes."""
    body = unpack(record_codec.encode_state(narrow_state()), record_codec.STATE_SCHEMA)
    assert isinstance(body, dict)
    body["modes"][0]["asked"] = asked
    with pytest.raises(WireError, match=r"modes.asked: must be a list of whole numbers"):
        record_codec.decode_state(pack(record_codec.STATE_SCHEMA, body))
    routes = {"model": "m", "epoch": 1, "safe": [], "states": {}, "order": "", "asked": asked}
    with pytest.raises(WireError, match=r"routes.asked: must be a list of whole numbers"):
        record_codec.decode_routes(pack(record_codec.ROUTES_SCHEMA, routes))
