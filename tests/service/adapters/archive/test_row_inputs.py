import numpy as np
import pytest

from tests.support.judgement.compared_rows import KEEPING, SPECS, compared_batch
from tightrope.monitors.intake.sampling import Sampler
from tightrope.service.adapters.archive.row_format import ColumnLayout, pack_rows
from tightrope.service.adapters.archive.row_inputs import (
    NO_LABEL,
    NO_WHOLE_INPUTS,
    RowKeeping,
    decode_row,
    encode_rows,
    tensor_types,
)

INPUTS = {
    "image": np.arange(2 * 3 * 4, dtype=np.float16).reshape(2, 3, 4),
    "tokens": np.array([[7, -1, 2**40], [0, 1, 2]], dtype=">i8"),
    "flag": np.array([True, False]),
    "words": np.array([["é", ""], ["a\0b", "c" * 300]], dtype=object),
    "none": np.zeros((2, 0), dtype=np.float32),
}


def test_every_type_of_input_comes_back() -> None:
    """Values, shapes and types, in the order of the inputs; numbers of another byte order are turned."""
    types = tensor_types(INPUTS)
    for row, content in enumerate(encode_rows(INPUTS, types)):
        found = decode_row(content, types)
        assert list(found) == list(INPUTS)
        for name, tensor in INPUTS.items():
            assert found[name].dtype == tensor.dtype.newbyteorder("<")
            assert found[name].shape == (1, *tensor.shape[1:])
            assert found[name].tolist() == tensor[row : row + 1].tolist()


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"x", lambda _: b"\xff"])
def test_other_bytes_are_no_row(change: object) -> None:
    """A row that was torn is not guessed."""
    types = tensor_types(INPUTS)
    (content, _) = encode_rows(INPUTS, types)
    with pytest.raises(ValueError, match=r"not the inputs of a row|can't decode|buffer"):
        decode_row(change(content), types)  # type: ignore[operator]


def test_a_long_row_is_marked_as_cut() -> None:
    """The others of its batch keep their inputs."""
    batch = compared_batch(0, 3)
    batch.inputs[1]["word"][0, 0] = "x" * 5000  # type: ignore[index]
    packed = pack_rows(ColumnLayout.from_specs(SPECS), batch, KEEPING)
    sizes = packed.records["size"].tolist()
    assert sizes[1] == NO_WHOLE_INPUTS
    assert min(sizes[0], sizes[2]) > 0
    assert len(packed.contents) == sizes[0] + sizes[2]
    assert packed.take(slice(2, 3)).records["begin"].tolist() == [0]
    assert packed.take(slice(2, 3)).contents == packed.contents[sizes[0] :]


def test_a_row_has_a_digest_its_number_and_its_draw() -> None:
    """No request id, and no label yet; a floor is told beside the rate of all requests."""
    keeping = RowKeeping(1000, KEEPING.digest, Sampler(0.25, {"group=a": 0.5}))
    batch = compared_batch(0, 3, draw=[0.1, 0.2, 0.2], offset=[0, 7, 7])
    packed = pack_rows(ColumnLayout.from_specs(SPECS), batch, keeping)
    assert packed.records["request"].tolist() == [KEEPING.digest(name).encode() for name in ("0-0", "0-7", "0-7")]
    assert packed.records["row"].tolist() == [0, 0, 1]
    assert packed.records["draw"].tolist() == [0.1, 0.2, 0.2]
    assert packed.records["label"].tolist() == [NO_LABEL] * 3
    assert dict(zip(("model", *packed.header.scopes), packed.header.rates, strict=True))["group=a"] == 0.5
    assert packed.header.rates[0] == 0.25


def test_no_inputs_are_kept_on_request() -> None:
    """`row_bytes: 0` keeps what earlier versions kept."""
    packed = pack_rows(ColumnLayout.from_specs(SPECS), compared_batch(0, 3), RowKeeping(0, str, Sampler(1.0)))
    assert (packed.contents, packed.records["size"].tolist()) == (b"", [NO_WHOLE_INPUTS] * 3)
