"""docs/sample-path.svg: the way of a sample, from the gateway's outbox through the shadow back to its router."""

from typing import NamedTuple

from docs.drawing import arrow, picture, rect, text


class Stop(NamedTuple):
    """A process, the modules that the sample passes in it, and what they do; or a topic of the bus."""

    name: str
    modules: tuple[str, ...]
    does: tuple[str, ...]


OUTBOX = Stop("gateway", ("service/outbox.py",), ("buffers samples and", "publishes them in records"))
WORKER = Stop(
    "worker",
    ("shadow/worker.py", "shadow/inference.py", "shadow/comparison.py"),
    ("runs the other model on the", "rows and compares the outputs"),
)
JUDGE = Stop(
    "judge",
    ("shadow/judge.py", "shadow/judge_round.py", "monitors/watch.py", "monitors/decide.py", "monitors/safemode.py"),
    ("counts each row once, feeds the", "detectors, moves scopes, saves", "its state, then publishes modes"),
)
ROUTER = Stop(
    "gateway",
    ("service/routing/control_consumer.py", "service/routing/router.py"),
    ("follows the modes and routes", "the next requests by them"),
)
SAMPLE_PATH = (OUTBOX, WORKER, JUDGE, ROUTER)
TOPICS = ("samples", "comparisons", "control")
"""Topics of the bus between one stop and the next: in memory, or on Apache Kafka."""

WIDTH, TOP, LINE, BOX, GAP, SECOND = 984, 84, 18, 234, 121, 268


def svg() -> str:
    """The picture: outbox, worker and judge from left to right, the router below the outbox."""
    columns = [20.0, 20.0 + BOX + GAP, 20.0 + 2 * (BOX + GAP)]
    parts = [text(20, 30, "One sample: from the gateway to the verdict, and back as a mode", "title")]
    parts += [text(20, 52, "The request path waits for none of it. Blue: topics of the bus.", "soft")]
    for x, stop in zip(columns, (OUTBOX, WORKER, JUDGE), strict=True):
        parts += _box(x, TOP, stop)
    parts += _box(columns[0], SECOND, ROUTER)
    middle, low = TOP + _height(OUTBOX) / 2, SECOND + _height(ROUTER) / 2
    parts += _hop((columns[0] + BOX, middle), (columns[1], middle), TOPICS[0])
    parts += _hop((columns[1] + BOX, middle), (columns[2], middle), TOPICS[1])
    bottom = TOP + _height(JUDGE)
    parts += _turn((columns[2] + BOX / 2, bottom), (columns[0] + BOX, low), TOPICS[2])
    return picture(WIDTH, round(SECOND + _height(ROUTER) + 22), "The way of one sample through the processes", parts)


def _height(stop: Stop) -> float:
    return 34 + LINE * (len(stop.modules) + len(stop.does)) + 10


def _box(x: float, y: float, stop: Stop) -> list[str]:
    parts = [rect(x, y, BOX, _height(stop), "box"), text(x + 12, y + 22, stop.name, "title")]
    for number, module in enumerate(stop.modules):
        parts.append(text(x + 12, y + 44 + LINE * number, _short(module), "code"))
    for number, words in enumerate(stop.does, len(stop.modules)):
        parts.append(text(x + 12, y + 46 + LINE * number, words))
    return parts


def _short(module: str) -> str:
    return module.removesuffix(".py").replace("/routing/control_consumer", "/…/control_consumer")


def _topic(x: float, y: float, topic: str) -> list[str]:
    """A topic's name in a pill around its middle."""
    return [rect(x - 48, y - 12, 96, 24, "topic", 12), text(x, y + 4.5, topic, "", "middle")]


def _hop(start: tuple[float, float], end: tuple[float, float], topic: str) -> list[str]:
    """An arrow from box to box with its topic above the line."""
    return [*arrow(start, end), *_topic((start[0] + end[0]) / 2, start[1] - 22, topic)]


def _turn(start: tuple[float, float], end: tuple[float, float], topic: str) -> list[str]:
    """Down from the judge and left to the router."""
    corner = (start[0], end[1])
    down = f'<line class="way" x1="{start[0]:g}" y1="{start[1]:g}" x2="{corner[0]:g}" y2="{corner[1]:g}"/>'
    return [down, *arrow(corner, end), *_topic((corner[0] + end[0]) / 2, end[1] - 22, topic)]
