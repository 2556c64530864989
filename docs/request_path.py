"""docs/request-path.svg: the modules that one small request over HTTP passes, in the order in which it enters them."""

from pathlib import PurePath
from typing import NamedTuple

from docs.drawing import line, picture, rect, text


class Step(NamedTuple):
    """A module, as its path, and what it does with the request."""

    module: str
    does: str


ANSWERING = (
    Step("service/transport/http/uvicorn_protocol.py", "takes the bytes; knows the head already"),
    Step("service/inference/engine.py", "finds the model pair; later runs the batch"),
    Step("service/transport/http/codec.py", "checks the body; later builds the reply"),
    Step("service/protocol/fast_json.py", "reads the JSON into arrays in one pass"),
    Step("service/inference/batcher.py", "runs it at once, or with the next batch"),
    Step("service/inference/batch.py", "holds the rows, and later the answers"),
    Step("service/routing/router.py", "chooses the role: compressed or baseline"),
    Step("service/adapters/onnxruntime.py", "runs the model"),
    Step("monitors/answer_summary.py", "computes class, confidence and refusal"),
    Step("service/protocol/rest.py", "writes the response document"),
)
"""Steps until the response is written."""

RECORDING = (
    Step("service/transport/responder.py", "starts counting, and the timer for sampling"),
    Step("service/adapters/prometheus/metrics.py", "counts the request"),
    Step("service/sampling/recorder.py", "takes the answered batch; samples it later"),
    Step("monitors/intake/sampling.py", "draws a number from id, inputs and secret"),
    Step("service/inference/subgroups.py", "finds the subgroups of the kept rows"),
    Step("monitors/intake/sample_batch.py", "puts the samples together as columns"),
    Step("service/outbox.py", "takes them into its bounded buffer"),
)
"""Steps after the response is written; from the draw on 10 to 50 ms later, for the requests of that time together."""

REQUEST_PATH = ANSWERING + RECORDING
MODULES = tuple(step.module for step in REQUEST_PATH)

LANES = ("transport", "protocol", "inference", "routing", "adapters", "monitors", "sampling")
LEFT, TOP, LANE, ROW, NAME, WIDTH = 40, 84, 68, 27, 166, 980
TEXT = LEFT + LANE * len(LANES)


def svg() -> str:
    """The picture: a lane for each room, a row for each module, and a line from row to row."""
    split = TOP + ROW * len(ANSWERING)
    bottom = split + ROW * (len(RECORDING) + 1)
    parts = [text(20, 30, "One small request over HTTP: the modules in the order in which it enters them", "title")]
    for number, lane in enumerate(LANES):
        parts += [text(_x(number), TOP - 26, lane, "soft", "middle")]
        parts += [line([(_x(number), TOP - 16), (_x(number), bottom - 8)], "lane")]
    parts += [rect(1, split - 4, WIDTH - 2, ROW - 2, "band", 0)]
    parts += [
        text(
            20,
            split + 13,
            "The response is written. Counting follows at once, sampling 10 to 50 ms later for many requests together.",
            "soft",
        )
    ]
    before, after = _points(ANSWERING, TOP), _points(RECORDING, split + ROW)
    parts += [line(before, "way"), line(after, "later")]
    parts += [_dot(point, "") for point in before] + [_dot(point, "later") for point in after]
    for number, (step, (_, y)) in enumerate(zip(REQUEST_PATH, before + after, strict=True), 1):
        parts += [text(26, y + 4, str(number), "soft number", "end"), text(TEXT, y + 4, _name(step.module), "code")]
        parts += [text(TEXT + NAME, y + 4, step.does)]
    return picture(WIDTH, bottom + 6, "The way of one request through the modules", parts)


def _x(lane: int) -> float:
    return LEFT + LANE * lane + LANE / 2


def _points(steps: tuple[Step, ...], top: float) -> list[tuple[float, float]]:
    return [(_x(LANES.index(_lane(step.module))), top + ROW * row + 10) for row, step in enumerate(steps)]


def _lane(module: str) -> str:
    """The room below service/; the outbox, which stands beside the rooms, is drawn with the sampling that feeds it."""
    if module == "service/outbox.py":
        return "sampling"
    first, second, *_ = PurePath(module).parts
    return second if first == "service" else first


def _name(module: str) -> str:
    """The module's name, with the adapter's or transport's folder where it has one of its own."""
    path = PurePath(module)
    return path.stem if len(path.parts) < 4 else f"{path.parent.name}/{path.stem}"  # noqa: PLR2004 - service/room/folder/file


def _dot(point: tuple[float, float], kind: str) -> str:
    return f'<circle class="dot {kind}" cx="{point[0]:g}" cy="{point[1]:g}" r="5.5"/>'
