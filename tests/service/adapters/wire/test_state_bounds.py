"""A snapshot that would blind or break its judge is refused when it is decoded."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from msgspec import msgpack

from tests.support.judgement.comparisons import make_comparisons, make_plan
from tightrope.monitors import watch
from tightrope.monitors.plan import initial_state
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

PLAN = make_plan("disagreement", "confidence")
STATE, _ = watch.step(PLAN, initial_state(PLAN), make_comparisons(200))


def body() -> dict[str, Any]:
    """The body of a sound snapshot."""
    return dict(msgpack.decode(record_codec.encode_state(STATE))["body"])


def decode(changed: Mapping[str, object]) -> None:
    """Decode a snapshot with this body."""
    document = msgpack.decode(record_codec.encode_state(STATE))
    record_codec.decode_state(msgpack.encode({**document, "body": changed}))


def filled(box: Mapping[str, Any], value: float) -> dict[str, object]:
    """An array on the wire, of the same form, with this value everywhere."""
    return {**box, "data": np.full(box["shape"], value, box["dtype"]).tobytes()}


def test_sound_snapshot_is_read() -> None:
    """The cases below change one part of it."""
    decode(body())


@pytest.mark.parametrize("name", ["log_mass", "recovery", "path"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
def test_evidence_that_no_alarm_could_outgrow_is_refused(name: str, value: float) -> None:
    """NaN compares with nothing, and the sum of infinite masses is NaN."""
    changed = body()
    changed["cells"][0][name] = filled(changed["cells"][0][name], value)
    with pytest.raises(WireError, match=rf"state\.cells\.{name}: must be numbers up to 1e\+09, and not NaN"):
        decode(changed)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("epoch", 2**63),
        ("epoch", "7"),
        ("stale", -1),
        ("seen", {"comparisons": -1, "labels": 0}),
        ("seen", {"comparisons": "5", "labels": 0}),
        ("watermarks", {0: 2**63}),
        ("watermarks", {0: -5}),
        ("watermarks", {-1: 5}),
        ("watermarks", {"0": 5}),
        ("labels", {"joined": 1.5}),
        ("modes", []),
        ("cells", []),
        ("scopes", []),
        ("compared", {"dtype": "<f8", "shape": [4], "data": bytes(32)}),
        ("compared", {"dtype": "<i8", "shape": [3], "data": bytes(24)}),
        ("noise", {"dtype": "<i8", "shape": [4], "data": bytes(32)}),
        ("errors", {"dtype": "<i8", "shape": [4], "data": np.full(4, -1).tobytes()}),
        ("faulty", {"dtype": "<i8", "shape": [4], "data": bytes(32)}),
        ("lag", {"pairs": 1, "total": math.nan, "products": 0.0, "last": 0.0}),
        ("lag", {"pairs": 1, "total": 1e300, "products": 0.0, "last": 0.0}),
        ("unanswered", {"kept": -1, "since": 0.0, "until": 0.0, "answered": 0.0}),
        ("unanswered", {"kept": 1, "since": math.nan, "until": 0.0, "answered": 0.0}),
        ("hosts", {"x": {"dtype": "<i8", "shape": [1, 2], "data": bytes(16)}}),
        ("sight_notes", {"rows-lost": ["model"]}),
        ("sight_notes", {"rows-lost": {"model": math.nan}}),
        ("sight_notes", {"rows-lost": {"model": "now"}}),
    ],
)
def test_part_that_does_not_fit_is_refused(part: str, value: object) -> None:
    """The error is one line about the snapshot."""
    with pytest.raises(WireError):
        decode({**body(), part: value})


@pytest.mark.parametrize("change", [{"held": 1}, {"since": math.nan}, {"flaps": -1}, {"state": "sideways"}])
def test_mode_that_is_none_is_refused(change: dict[str, object]) -> None:
    """A dwell from a time that is NaN would never end."""
    changed = body()
    changed["modes"][0] = {**changed["modes"][0], **change}
    with pytest.raises(WireError, match="state"):
        decode(changed)


def test_disagreement_may_be_a_sum_of_losses() -> None:
    """Kinds have losses between 0 and 1; rows are always whole."""
    for name in ("disagreed", "noise"):
        decode({**body(), name: filled({**body()[name], "dtype": "<f8"}, 2.5)})
    with pytest.raises(WireError, match="compared"):
        decode({**body(), "compared": filled({**body()["compared"], "dtype": "<f8"}, 2.5)})
