"""Changes of requests, by a seeded generator: of JSON documents in any place, and of bytes."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

DEEP = 300
TEXTS = (
    "", "x", "plain", "model", "region=north", "FP32", "INT64", "BYTES", "\x00", "a\nb", "\u00e9" * 9, "\U0001f600",
    "\ud800", "../../etc/passwd", "{}", "NaN", "x" * 300, "%s%n", "\u202e", "1e999", "data", "parameters", "input",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 255, 256, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40, 0.5, -0.0, 1e-320, 3e38,
    1e308, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip


def seeded(seed: int) -> random.Random:
    """A generator of the same numbers each time."""
    return random.Random(seed)  # noqa: S311 - no secret


def nested(levels: int, kind: str) -> Any:  # noqa: ANN401 - any JSON
    """A list or an object in another, down to this number of levels."""
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind == "list" else {"a": value}
    return value


def any_value(rng: random.Random) -> Any:  # noqa: ANN401 - any JSON
    """Some value."""
    makers: tuple[Callable[[], Any], ...] = (
        lambda: rng.choice((None, True, False)),
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice(TEXTS),
        lambda: [any_value(rng) for _ in range(rng.randrange(4))],
        lambda: {rng.choice(TEXTS): any_value(rng) for _ in range(rng.randrange(4))},
        lambda: nested(rng.choice((2, 30, DEEP)), rng.choice(("list", "object"))),
        lambda: [rng.choice(NUMBERS)] * rng.choice((1, 100, 5000)),
    )
    return rng.choice(makers)()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    """The path to each value in a document."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def change(rng: random.Random, document: Any) -> None:  # noqa: ANN401 - any JSON
    """Change one place of a document: another value, no value, another key, or one more element."""
    found = list(places(document))
    if not found:
        return
    *way, key = rng.choice(found)
    parent = document
    for step in way:
        parent = parent[step]
    action = rng.randrange(5)
    if action == 0:
        del parent[key]
    elif action == 1 and isinstance(parent, dict):
        parent[rng.choice(TEXTS)] = parent.pop(key)
    elif action == 1:
        parent.insert(key, any_value(rng))
    elif action == 2:
        parent[key] = [parent[key]] * rng.choice((0, 2, 50))
    else:
        parent[key] = any_value(rng)


def changed_bytes(rng: random.Random, data: bytes) -> bytes:
    """Some bytes cut out, doubled, or replaced."""
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.choice((0, 1, 4, 60)))
    new = rng.choice(
        (b"", rng.randbytes(rng.choice((1, 4, 9))), data[start:end] * 2, b"\x00", b"\xff", b'"', b"[", b"}")
    )
    return data[:start] + new + data[end:]


def mutated_json(rng: random.Random, document: Any) -> bytes:  # noqa: ANN401 - any JSON
    """A document with up to three changes, as JSON, and now and then with changed bytes."""
    document = json.loads(json.dumps(document))
    for _ in range(rng.randrange(4)):
        change(rng, document)
    text = json.dumps(document)
    if rng.randrange(3) == 0:
        text = text.replace("NaN", "null").replace("-Infinity", "-1e999").replace("Infinity", "1e999")
    data = text.encode()
    return changed_bytes(rng, data) if rng.randrange(4) == 0 else data
