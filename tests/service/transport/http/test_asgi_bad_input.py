"""Bad requests against a running server: each is refused soon, names its field, and affects no other caller."""

import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.support.servers import Server
from tests.support.serving.service_harness import LENGTH, BackgroundClient, body

SECONDS = 5.0
PLAIN = "/v2/models/plain/infer"
DEEP = 100_000


@dataclass(frozen=True)
class Bad:
    """One bad request, its status, and a part of its error."""

    name: str
    content: bytes
    says: str
    headers: dict[str, str] = field(default_factory=dict)
    path: str = PLAIN
    status: int = 400


def with_input(**changes: object) -> bytes:
    """A valid request with fields of its input changed; None leaves a field out."""
    tensor = body([[0.0, 1.0]])["inputs"][0] | changes
    return json.dumps({"inputs": [{key: value for key, value in tensor.items() if value is not None}]}).encode()


def asking(**fields: object) -> bytes:
    """A valid request with more fields."""
    return json.dumps(body([[0.0, 1.0]], **fields)).encode()


def binary(size: object, data: bytes = bytes(8)) -> tuple[bytes, int]:
    """A request with binary data, and the header with the bytes of its JSON."""
    head = with_input(data=None, parameters={"binary_data_size": size})
    return head + data, len(head)


def header(name: str, length: object, says: str, content: bytes | None = None) -> Bad:
    """A binary request with another number in its header."""
    return Bad(f"header {name}", binary(8)[0] if content is None else content, says, {LENGTH: str(length)})


def sizes(name: str, size: object, says: str, data: bytes = bytes(8)) -> Bad:
    """A binary request with another size in its JSON."""
    content, length = binary(size, data)
    return Bad(f"binary_data_size {name}", content, says, {LENGTH: str(length)})


def packed(name: str, content: bytes, says: str, encoding: str = "gzip", status: int = 400) -> Bad:
    """A compressed request."""
    return Bad(f"encoding {name}", content, says, {"Content-Encoding": encoding}, status=status)


JSON = "request is not valid JSON"
DEEPER = "the JSON is nested deeper than 32 levels (server.limits.json_depth)"
GOOD = asking()
WHOLE, WHOLE_LENGTH = binary(8)
HUGE = WHOLE.replace(b"[1, 2]", b"[4611686018427387904, 2]")
CASES = [
    Bad("nothing", b"", JSON),
    Bad("half an object", GOOD[:-5], JSON),
    Bad("no JSON", b"hello", JSON),
    Bad("text after the JSON", GOOD + b"x", JSON),
    Bad("not UTF-8", GOOD.replace(b'"name": "input"', b'"name": "\xff\xfe"'), JSON),
    Bad("NaN", GOOD.replace(b"1.0", b"NaN"), JSON),
    Bad("deep arrays", b"[" * DEEP, DEEPER),
    Bad("deep arrays, closed", b"[" * DEEP + b"]" * DEEP, DEEPER),
    Bad("deep objects", b'{"inputs":' * DEEP + b"1" + b"}" * DEEP, DEEPER),
    Bad("deep data", with_input(data=0).replace(b'"data": 0', b'"data": ' + b"[" * 900 + b"1" + b"]" * 900), DEEPER),
    Bad("deep data within the limit", with_input(data=json.loads("[" * 20 + "]" * 20)), "'input'"),
    Bad("deep in a field that is ignored", GOOD[:-1] + b', "x": ' + b"[" * DEEP + b"]" * DEEP + b"}", DEEPER),
    Bad("an array", b"[]", "request is [], must be a JSON object"),
    Bad("a string", b'"x"', "request is 'x', must be a JSON object"),
    Bad("no inputs", b"{}", "inputs: missing input"),
    Bad("null inputs", b'{"inputs": null}', "inputs: missing input"),
    Bad("inputs no array", b'{"inputs": {}}', "inputs is {}, must be an array of objects"),
    Bad("input twice", json.dumps({"inputs": body([[0, 1]])["inputs"] * 2}).encode(), "input 'input' is given twice"),
    Bad("unknown input", with_input(name="other"), "input name is 'other', must be one of input"),
    Bad("no input name", with_input(name=None), "input name is None"),
    Bad("wrong width", with_input(shape=[1, 3], data=[1, 2, 3]), "input 'input': shape is [1, 3], must be [-1, 2]"),
    Bad("wrong rank", with_input(shape=[2]), "input 'input': shape is [2], must have 2 dimensions"),
    Bad("negative shape", with_input(shape=[-1, 2]), "input 'input': shape is [-1, 2], must have at least one row"),
    Bad("no rows", with_input(shape=[0, 2], data=[]), "input 'input': shape is [0, 2], must have at least one row"),
    Bad("huge shape", with_input(shape=[2**40, 2]), "input 'input': data has 2 elements, shape [1099511627776, 2]"),
    Bad("huge binary shape", HUGE, "input 'input': 8 bytes of binary data, FP32", {LENGTH: str(len(HUGE) - 8)}),
    Bad("shape beyond 64 bits", with_input(shape=[2**70, 2]), "input 'input': shape is"),
    Bad("shape of words", with_input(shape=["1", 2]), "input 'input': shape is ['1', 2], must be an array of whole"),
    Bad("no shape", with_input(shape=None), "input 'input': shape is None"),
    Bad("wrong datatype", with_input(datatype="FP64"), "input 'input': datatype is 'FP64', must be FP32"),
    Bad("unknown datatype", with_input(datatype="FP31"), "input 'input': datatype is 'FP31', must be FP32"),
    Bad("too few values", with_input(shape=[2, 2]), "input 'input': data has 2 elements, shape [2, 2] needs 4"),
    Bad("too many values", with_input(data=[1.0, 2.0, 3.0]), "input 'input': data has 3 elements"),
    Bad("value of another kind", with_input(data=["1", 2.0]), "input 'input': data element 0 is '1'"),
    Bad("value beyond FP32", with_input(data=[1e39, 2.0]), "input 'input': data element 0 is 1e+39"),
    Bad("no data", with_input(data=None), "input 'input': give either data or parameters.binary_data_size"),
    Bad("unknown output", asking(outputs=[{"name": "x"}]), "output name is 'x', must be one of probabilities"),
    Bad("output twice", asking(outputs=[{"name": "probabilities"}] * 2), "output 'probabilities' is requested twice"),
    Bad("nested parameters", asking(parameters={"a": {"b": 1}}), "request: parameters['a'] must be a string"),
    Bad("id no string", asking(id=7), "id is 7, must be a string of at most 256 characters"),
    Bad("long id", asking(id="x" * 257), "id is"),
    Bad("unknown model", GOOD, "model 'nope' is not served here", path="/v2/models/nope/infer", status=404),
    Bad("unknown version", GOOD, "model 'plain' has no", path="/v2/models/plain/versions/9/infer", status=404),
    Bad("long model name", GOOD, "is not served here", path=f"/v2/models/{'x' * 5000}/infer", status=404),
    Bad("odd model name", GOOD, "is not served here", path="/v2/models/%ff%00%0a/infer", status=404),
    header("too long", 10_000, f"header {LENGTH} is 10000, the body has only"),
    header("too short", WHOLE_LENGTH - 3, JSON),
    header("one too long", WHOLE_LENGTH + 1, JSON),
    header("negative", -1, f"header {LENGTH} is '-1', must be a number of bytes"),
    header("no number", "many", f"header {LENGTH} is 'many', must be a number of bytes"),
    header("beyond 64 bits", "9" * 100, f"header {LENGTH} is '999"),
    header("0 of a body that is no row", 0, "input 'input': 9 bytes of binary data", bytes(9)),
    Bad("header absent", WHOLE, JSON),
    sizes("too large", 800, "input 'input': binary_data_size is 800, but 8 bytes follow the JSON"),
    sizes("too small", 4, "input 'input': 4 bytes of binary data, FP32 of shape [1, 2] needs 8"),
    sizes("negative", -8, "input 'input': binary_data_size is -8, must be a number of bytes"),
    sizes("no number", "8", "input 'input': binary_data_size is '8', must be a number of bytes"),
    sizes("beyond 64 bits", 2**70, "input 'input': binary_data_size is 1.18"),
    sizes("less than follows", 8, "request has 1 bytes after those binary_data_size announces", bytes(9)),
    packed("gzip of garbage", b"garbage", "the body is not gzip"),
    packed("deflate of garbage", b"garbage", "the body is not deflate", "deflate"),
    packed("gzip cut short", gzip.compress(GOOD)[:-9], "the body is not gzip: it ends too early"),
    packed("gzip of nothing", b"", "the body is not gzip: it ends too early"),
    packed("gzip bomb", gzip.compress(bytes(64 << 20)), "more than 200 times its bytes", status=413),
    packed("unknown", GOOD, "content-encoding 'br'; gzip, deflate and identity are understood", "br", status=415),
    packed("two at once", GOOD, "content-encoding 'gzip, gzip'", "gzip, gzip", status=415),
]  # fmt: skip


@pytest.fixture(scope="module")
def neighbour(server: Server) -> Iterator[BackgroundClient]:
    """Valid requests in the background."""
    with BackgroundClient(server.address) as somebody:
        yield somebody


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: bad.name)
def test_bad_request_is_refused_with_its_field(client: httpx.Client, neighbour: BackgroundClient, bad: Bad) -> None:
    """A status of 4xx and one short line, within seconds, while other callers are served."""
    began = time.monotonic()
    answer = client.post(bad.path, content=bad.content, headers=bad.headers)
    assert time.monotonic() - began < SECONDS
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    assert (answer.status_code, list(document)) == (bad.status, ["error"])
    assert bad.says in document["error"]
    assert len(document["error"]) < 600
    neighbour.is_served()


def test_bases_of_the_cases_are_valid(client: httpx.Client) -> None:
    """Each case is refused for its change."""
    assert client.post(PLAIN, content=GOOD).status_code == 200
    assert client.post(PLAIN, content=with_input()).status_code == 200
    assert client.post(PLAIN, content=WHOLE, headers={LENGTH: str(WHOLE_LENGTH)}).status_code == 200
    assert client.post(PLAIN, content=gzip.compress(GOOD), headers={"Content-Encoding": "gzip"}).status_code == 200
