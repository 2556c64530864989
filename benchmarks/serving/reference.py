"""Minimal servers that the gateway is compared with: only the protocol and the model.

`python -m benchmarks.serving.reference MODEL.onnx PORT [--batching]`: one uvicorn worker, uvloop, httptools, orjson,
`session.run` on the event loop with one thread. They check nothing, so no server can be faster by checking less. With
batching, the requests that arrived while a batch ran are the next batch; no request waits for others.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvicorn

from benchmarks.serving.session import Rows, RunModel, session

Message = MutableMapping[str, Any]
RunAsync = Callable[[Rows], Awaitable[Rows]]
Send = Callable[[Message], Awaitable[None]]

JSON_LENGTH = b"inference-header-content-length"
JSON, BINARY = b"application/json", b"application/octet-stream"


def inline(model: RunModel) -> RunAsync:
    """Run the model for each request alone, on the event loop."""

    async def run(rows: Rows) -> Rows:
        return model(rows)

    return run


class Batcher:
    """Runs the requests that arrived while the last batch ran as one batch."""

    def __init__(self, model: RunModel) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Rows, asyncio.Future[Rows]]] = []

    async def __call__(self, rows: Rows) -> Rows:
        """Add rows to the next batch and wait for their part of its answer."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        future: asyncio.Future[Rows] = self._loop.create_future()
        self._waiting.append((rows, future))
        return await future

    def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        if len(batch) == 1:
            batch[0][1].set_result(self._model(batch[0][0]))
            return
        answer, begin = self._model(np.concatenate([rows for rows, _ in batch])), 0
        for rows, future in batch:
            future.set_result(answer[begin : begin + len(rows)])
            begin += len(rows)


def decode(body: bytes, header: bytes | None) -> tuple[str | None, Rows]:
    """The id and the rows of a request, from JSON or from a binary tensor after the JSON."""
    request = orjson.loads(body if header is None else body[: int(header)])
    tensor = request["inputs"][0]
    if header is None:
        return request.get("id"), np.array(tensor["data"], np.float32).reshape(tensor["shape"])
    rows: Rows = np.frombuffer(body, np.float32, offset=int(header)).reshape(tensor["shape"])
    return request.get("id"), rows


def encode(request_id: str | None, answer: Rows, *, binary: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The headers and the body of a response."""
    output: dict[str, Any] = {"name": "probabilities", "datatype": "FP32", "shape": answer.shape}
    response = {"model_name": "model", "model_version": "1", "id": request_id, "outputs": [output]}
    if not binary:
        output["data"] = answer.ravel()
        body = orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)
        return [(b"content-type", JSON), (b"content-length", b"%d" % len(body))], body
    output["parameters"] = {"binary_data_size": answer.nbytes}
    head = orjson.dumps(response)
    body = head + answer.tobytes()
    headers = [(b"content-type", BINARY), (JSON_LENGTH, b"%d" % len(head)), (b"content-length", b"%d" % len(body))]
    return headers, body


async def read(receive: Callable[[], Awaitable[Message]]) -> bytes:
    """Read a request's body."""
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    return body


async def serve(path: Path, port: int, *, batching: bool) -> None:
    """Serve a model until a signal stops the process."""
    run: RunAsync = (Batcher if batching else inline)(session(path))

    async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        header = next((value for name, value in scope["headers"] if name == JSON_LENGTH), None)
        request_id, rows = decode(await read(receive), header)
        headers, body = encode(request_id, await run(rows), binary=header is not None)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(app, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False)
    await uvicorn.Server(config).serve()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--batching", action="store_true")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvicorn.Config("", loop="uvloop").get_loop_factory()) as runner:
        runner.run(serve(options.model, options.port, batching=options.batching))


if __name__ == "__main__":
    main()
