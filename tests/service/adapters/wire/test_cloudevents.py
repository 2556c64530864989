"""Payload events are read in every CloudEvents mode, and survive a round trip through a record."""

import base64
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fuzz.mutations import nested
from tests.support.payload_events import TYPE_PREFIX, event, headers
from tightrope.service.adapters.wire.cloudevents import MODEL_ATTRIBUTE, PayloadEvent, decode, encode, read
from tightrope.service.adapters.wire.envelope import WireError

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = st.text("abcdefgh1", min_size=1, max_size=8).filter(lambda name: name not in {"id", "type", "data", "time"})
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EVENT = {"specversion": "1.0", "id": "a", "type": f"{TYPE_PREFIX}request", "source": "/x"}


@given(data=st.binary(max_size=60) | JSON.map(orjson.dumps), more=st.dictionaries(NAMES, TEXTS, max_size=4))
def test_event_comes_back_from_a_record(data: bytes, more: dict[str, str]) -> None:
    """JSON data keep their values, other data their bytes; the model is added."""
    sent = PayloadEvent("a", "request", None, data, {**EVENT, **more})
    found = decode(encode(sent, "credit"))
    assert (found.id, found.kind, found.model) == ("a", "request", "credit")
    assert dict(found.attributes) == {**EVENT, **more, MODEL_ATTRIBUTE: "credit"}
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError:
        assert found.data == data
    else:
        assert orjson.loads(found.data) == values


def test_all_modes_give_equal_events() -> None:
    """Binary, structured and batched modes give equal events."""
    data = b'{"inputs": []}'
    binary = read(headers("response", time="2026-11-21T10:00:00.5Z"), data)
    told = {**EVENT, "type": f"{TYPE_PREFIX}response", "time": "2026-11-21T10:00:00.5Z", "data": {"inputs": []}}
    structured = read({"content-type": "Application/CloudEvents+JSON; charset=utf-8"}, json.dumps(told).encode())
    coded = {name: value for name, value in told.items() if name != "data"} | {
        "data_base64": base64.b64encode(data).decode()
    }
    batch = read({"content-type": "application/cloudevents-batch+json"}, json.dumps([told, coded]).encode())
    for one in (*binary, *structured, *batch):
        assert (one.id, one.kind, one.time, orjson.loads(one.data)) == ("a", "response", 1795255200.5, {"inputs": []})
    assert len(batch) == 2


def test_attributes_that_are_null_are_absent() -> None:
    """Those of the event, and one of the two forms of its data."""
    told = {**EVENT, "data": {"inputs": []}, "data_base64": None, "time": None, "subject": None}
    found = decode(json.dumps(told).encode())
    assert (orjson.loads(found.data), found.time, "subject" in found.attributes) == ({"inputs": []}, None, False)
    assert decode(json.dumps({**told, "data": None, "data_base64": "eA=="}).encode()).data == b"x"


def test_events_of_seldon_are_read() -> None:
    """Seldon's types have the same suffix."""
    told = headers("request") | {"ce-type": "io.seldon.serving.inference.response"}
    assert read(told, b"{}")[0].kind == "response"


def test_model_of_a_foreign_event_is_its_inference_service() -> None:
    """KServe's inference service names the model, unless our own attribute does."""
    assert event("request", inferenceservicename="credit").model == "credit"
    assert event("request", inferenceservicename="credit", tightropemodel="mine").model == "mine"
    assert event("request").model == ""


def test_attributes_in_headers_are_percent_encoded() -> None:
    """The HTTP binding requires it."""
    assert event("request", id_="a%20%E2%82%AC").id == "a \u20ac"


@pytest.mark.parametrize(
    ("metadata", "value"),
    [
        ('{"Inference-Header-Content-Length": ["12"]}', "12"),
        ('{"inference-header-content-length": "12"}', "12"),
        ('{"Other": ["12"]}', None),
        ("{}", None),
        ("[1]", None),
        ("{", None),
        ('{"Inference-Header-Content-Length": []}', None),
        ('{"Inference-Header-Content-Length": 3}', None),
    ],
)
def test_headers_that_the_logger_passed_on_are_found(metadata: str, value: str | None) -> None:
    """Loggers of binary tensors must pass on this header."""
    assert event("request", metadata=metadata).header("Inference-Header-Content-Length") == value
    assert event("request").header("Inference-Header-Content-Length") is None


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"specversion": "0.3"}, "specversion: is '0.3'; it must be '1.0'"),
        ({"specversion": None}, "specversion: is None"),
        ({"id": ""}, "id: is ''; it must have 1 to 256 characters"),
        ({"id": 5}, "id: is 5; it must have 1 to 256 characters"),
        ({"id": "x" * 257}, "id: is "),
        ({"type": "other"}, "type: is 'other'; it must end in .inference.request or .inference.response"),
        ({"type": None}, "type: is None"),
        ({"x": "y" * 5000}, "'x': has more than 4096 characters"),
        ({"data_base64": "%"}, "data_base64: "),
        ({"data_base64": 3}, "data_base64: "),
        ({"data": nested(500, "list")}, "data: are nested too deeply"),
        ({f"a{n}": "" for n in range(99)}, "has 103 attributes, more than 64"),
    ],
)
def test_invalid_payload_event_is_refused_by_attribute(told: dict[str, object], says: str) -> None:
    """The error is one line with the expected value."""
    with pytest.raises(WireError) as caught:
        decode(json.dumps({**EVENT, **told}).encode())
    assert str(caught.value).startswith(says)


@given(body=st.binary(max_size=80) | JSON.map(orjson.dumps), form=st.sampled_from(["", "+json", "-batch+json"]))
def test_any_bytes_are_read_or_refused(body: bytes, form: str) -> None:
    """No other error is raised."""
    try:
        found = read({"content-type": f"application/cloudevents{form}"}, body)
    except WireError as error:
        assert len(str(error)) <= 200  # noqa: PT017 - what is refused is refused shortly
        return
    assert found == []


@given(changes=st.dictionaries(st.sampled_from([*EVENT, "time", "data", "data_base64", "metadata"]), JSON, max_size=4))
def test_any_value_in_any_attribute_is_read_or_refused(changes: dict[str, object]) -> None:
    """Any JSON value in place of text."""
    try:
        found = decode(orjson.dumps({**EVENT, **changes}))
    except WireError:
        return
    assert found.kind in {"request", "response"}
    found.header("x")
    assert decode(encode(found, "m")).id == found.id
