"""Callers that keep their connections and go on calling while a server stops: none of their requests may be lost.

    python -m tests.support.serving.drained_callers 20

stops this many servers under load, over HTTP and over gRPC, and tells how many requests were lost.
"""

import http.client
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

import grpc

from tests.support.configs import write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.servers import Server, serving
from tightrope.service.transport.grpc.messages import InferTensorContents, ModelInferRequest

PAUSES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 0.6)
"""Seconds between the calls of each of eight callers over HTTP."""

GRPC_PAUSES = (0.0, 0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
"""Seconds over gRPC. Its library cancels a call that comes in the moment in which it says that it ends: so each of
them calls while the answers are held.
"""

FIRST_ANSWERS = 2
"""Answers of each caller before the server is stopped."""

BODY = json.dumps(request(traffic(1, harm=False)[0]))
TENSOR = ModelInferRequest.InferInputTensor(
    name="input", datatype="FP32", shape=[1, 4], contents=InferTensorContents(fp32_contents=traffic(1, harm=False)[0])
)
MESSAGE = ModelInferRequest(model_name="m", inputs=[TENSOR]).SerializeToString()


class Callers:
    """Threads that call until connections are refused, over HTTP and, where the server has it, over gRPC."""

    def __init__(self, server: Server) -> None:
        self.answers = [0] * (len(PAUSES) + len(GRPC_PAUSES) * bool(server.grpc))
        self.farewells_by = [0] * len(PAUSES)
        self.lost: list[str] = []
        host, port = server.address.split("//")[1].split(":")
        self._http, self._grpc = (host, int(port)), server.grpc
        self._threads = [threading.Thread(target=self._call_http, args=(n, pause)) for n, pause in enumerate(PAUSES)]
        if server.grpc:
            callers = enumerate(GRPC_PAUSES, len(PAUSES))
            self._threads += [threading.Thread(target=self._call_grpc, args=(n, pause)) for n, pause in callers]

    def __enter__(self) -> Self:
        """Start to call."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until all are refused."""
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        """The number of answers."""
        return sum(self.answers)

    @property
    def farewells(self) -> int:
        """The number of answers over HTTP that said that the connection ends."""
        return sum(self.farewells_by)

    def wait(self) -> None:
        """Wait until each caller keeps a connection, or has lost a request."""
        deadline = time.monotonic() + 30
        while min(self.answers) < FIRST_ANSWERS and not self.lost and time.monotonic() < deadline:
            time.sleep(0.01)

    def _call_http(self, number: int, pause: float) -> None:
        connection = http.client.HTTPConnection(*self._http, timeout=60)
        while True:
            try:
                connection.request("POST", "/v2/models/m/infer", BODY)
                response = connection.getresponse()
                response.read()
            except ConnectionRefusedError:
                return
            except (http.client.HTTPException, OSError) as error:
                self.lost.append(f"HTTP every {pause} s: {error!r}")
                return
            if response.status == http.HTTPStatus.OK:
                self.answers[number] += 1
            else:
                self.lost.append(f"HTTP {response.status}")
            self.farewells_by[number] += response.getheader("connection") == "close"
            time.sleep(pause)

    def _call_grpc(self, number: int, pause: float) -> None:
        with grpc.insecure_channel(self._grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            call: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            while True:
                try:
                    call(MESSAGE, timeout=60)
                except grpc.RpcError as error:
                    details: str = error.details() or ""
                    if "failed to connect" not in details:
                        self.lost.append(f"gRPC every {pause} s: {details}")
                    return
                self.answers[number] += 1
                time.sleep(pause)


def drain(path: Path) -> tuple[Callers, int, float]:
    """Serve a configuration, and stop the server while it is called; the callers, its exit code, and the seconds it
    took.
    """
    with serving(path) as server, Callers(server) as callers:
        callers.wait()
        began = time.monotonic()
        code = server.stop()
        took = time.monotonic() - began
    return callers, code, took


def main(number: int) -> int:
    """Stop servers under load, and tell what was lost."""
    lost = answered = 0
    with tempfile.TemporaryDirectory() as folder:
        path = write_config(Path(folder), config(Path(folder)) | {"server": {"port": 0, "grpc_port": 0}})
        for each in range(number):
            callers, code, seconds = drain(path)
            lost, answered = lost + len(callers.lost), answered + callers.answered
            told = f"{callers.answered} answered, {callers.farewells} told to close, lost: {callers.lost}"
            sys.stdout.write(f"{each + 1}: exit code {code} after {seconds:.2f} s, {told}\n")
    told = f"{lost} requests lost, {answered} answered"
    sys.stdout.write(f"{number} servers stopped under {len(PAUSES + GRPC_PAUSES)} callers: {told}\n")
    return int(lost > 0)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
