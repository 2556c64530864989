"""Records that Tightrope 0.1 wrote are read, and the format stays that of the library `msgpack`.

`recorded_records.json` has the bytes, in hexadecimal, that msgpack 1.2.4 wrote for the records below, in version 1.
"""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.service.adapters.sqlite.test_pending_labels import held
from tests.service.adapters.wire.test_record_codec import BATCH, EVENT, LABEL, NOTE, ORDER, PAIR, ROUTES, SAMPLE
from tests.support.cluster.wire_records import bit_identical
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.service.adapters.kafka.snapshot_store import Snapshot, decode_snapshot, encode_snapshot
from tightrope.service.adapters.sqlite import pending_labels
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WIRE_VERSION, WireError, envelope

RECORDED = {
    name: bytes.fromhex(text)
    for name, text in json.loads(Path(__file__).with_name("recorded_records.json").read_text()).items()
}
STRINGS = SampleBatch.from_samples(
    [
        replace(
            SAMPLE,
            inputs={"s": np.array([["ü"]], dtype=object), "h": np.array([[1, 2]], ">f2")},
            scopes=(),
            member=np.zeros((1, 0), bool),
        )
    ]
)
SNAPSHOT = Snapshot("l", b"\0state", {("t", 3): 1, ("tightrope.comparisons", 0): 2**33})

CASES: dict[str, tuple[Any, Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "samples": (PAIR, record_codec.encode_samples, record_codec.decode_samples),
    "comparisons": (BATCH, record_codec.encode_comparisons, record_codec.decode_comparisons),
    "event": (EVENT, record_codec.encode_event, record_codec.decode_event),
    "order": (ORDER, record_codec.encode_order, record_codec.decode_order),
    "routes": (ROUTES, record_codec.encode_routes, record_codec.decode_routes),
    "labels": ([LABEL], record_codec.encode_labels, record_codec.decode_labels),
    "traffic": (NOTE, record_codec.encode_traffic, record_codec.decode_traffic),
    "snapshot": (SNAPSHOT, encode_snapshot, decode_snapshot),
    "held row": (
        held(),
        pending_labels._to_body,
        lambda body: pending_labels.row_from_body("r", 0, 1.0, 0, body),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_recorded_bytes_are_read(name: str) -> None:
    """Records in topics and in the state file, written by older versions, are read as the same objects."""
    record, _, decode = CASES[name]
    assert bit_identical(decode(RECORDED[name]), record)


@pytest.mark.parametrize("name", [name for name in CASES if name != "held row"])
def test_written_records_have_the_fields_of_the_version_before(name: str) -> None:
    """Members of the first release read what is written: version and body are as they were, and later fields stand
    beside the body, where those members do not look.
    """
    record, encode, _ = CASES[name]
    written = msgspec.msgpack.decode(encode(record))
    assert list(written)[:2] == ["schema", "version"], "the first release looks for them at the beginning"
    later = written.pop("added", {})
    assert written == msgspec.msgpack.decode(RECORDED[name])
    body = written["body"]
    fields = {*later[0]} if isinstance(later, list) else {*later}
    assert not fields.intersection(body[0] if isinstance(body, list) else body)


def test_strings_and_other_byte_orders_are_written_as_before() -> None:
    """Text tensors, two-byte floats in big-endian order, no scopes."""
    written = msgspec.msgpack.decode(record_codec.encode_samples(STRINGS))["body"]
    recorded = msgspec.msgpack.decode(RECORDED["samples of strings"])["body"]
    assert {name: written[name] for name in recorded} == recorded
    assert record_codec.decode_samples(RECORDED["samples of strings"]).inputs["s"].tolist() == [["ü"]]


def test_state_is_read_as_before() -> None:
    """A judge's state survives an upgrade: what is written again has all that the version before wrote. The recorded
    state has a NaN among its evidence, which no judge writes, and which is refused.
    """
    with pytest.raises(WireError, match=r"state\.cells\.recovery: must be numbers up to 1e\+09, and not NaN"):
        record_codec.decode_state(RECORDED["state"])
    state = RECORDED["state"].replace(struct.pack("<d", math.nan), struct.pack("<d", -math.inf))
    recorded = msgspec.msgpack.decode(state)["body"]
    again = record_codec.encode_state(record_codec.decode_state(state))
    assert record_codec.version_of(state) == WIRE_VERSION - 1
    assert record_codec.version_of(again) == WIRE_VERSION
    written = msgspec.msgpack.decode(again)["body"]
    for name, value in recorded.items():
        if name == "pending":
            for stream, rows in value.items():
                assert {column: written[name][stream][column] for column in rows} == rows
        elif name == "cells":
            for before, after in zip(value, written[name], strict=True):
                assert {key: after[key] for key in before} == before
        elif name == "unanswered":
            assert {key: written[name][key] for key in value} == value
        elif name != "modes":
            assert written[name] == value
    for before, after in zip(recorded["modes"], written["modes"], strict=True):
        assert {key: after[key] for key in before} == before


def test_every_form_of_msgpack_is_read_and_written_as_before() -> None:
    """Integers, strings, bytes, lists and maps of every size class."""
    document = envelope(RECORDED["every msgpack form"])
    values = document["body"]["x"]
    assert values[:14] == [
        "a" * 40,
        "b" * 300,
        -1,
        -33,
        -(2**15),
        -(2**40),
        127,
        128,
        255,
        2**16,
        2**63,
        1.5,
        None,
        True,
    ]
    assert values[14:] == [b"\0" * 300, list(range(20)), {str(i): i for i in range(20)}]
    assert msgspec.msgpack.encode(document) == RECORDED["every msgpack form"]
