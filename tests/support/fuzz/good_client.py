"""The caller beside a fuzzer: one valid request after another, over HTTP and over gRPC, and how they were answered."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import grpc
import httpx

from tests.support.servers import Server
from tests.support.serving.grpc_server import row
from tests.support.serving.service_harness import OK, body, eventually
from tightrope.service.transport.grpc.messages import ModelInferResponse
from tightrope.service.transport.grpc.servicer import SERVICE

MODEL = "plain"
"""The model that it asks, of the features (code, value): see `model_pairs.sure_and_unsure`."""
PAUSE_SECONDS = 0.02


class GoodClient:
    """Sends requests in one thread for each transport until the block ends. ``failures`` says what was not answered as
    it should, ``slowest`` the seconds of the slowest answer without those for which the machine gave
    this process or the server no processor, ``answered`` how many there are.
    """

    def __init__(self, server: Server) -> None:
        self.failures: list[str] = []
        self.slowest = 0.0
        self.answered = 0
        self._server = server
        self._stopping = threading.Event()
        senders = [self._over_http, *([self._over_grpc] if server.grpc else [])]
        self._threads = [threading.Thread(target=sender, daemon=True) for sender in senders]
        self._stalls: list[tuple[float, float]] = []
        self._threads.append(threading.Thread(target=self._observe_machine, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        eventually(lambda: self.failures or self.answered > len(self._threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60.0)

    def assert_served(self, seconds: float = 2.0) -> None:
        """Assert that every request was answered, each within this time, and that the next ones are."""
        before = self.answered
        eventually(lambda: self.failures or self.answered > before + len(self._threads))
        assert self.failures == []
        assert self.slowest < seconds, f"{self.slowest:.2f} s"

    def _over_http(self) -> None:
        with httpx.Client(base_url=self._server.address, timeout=30.0) as client:
            request = body([[0.0, 5.0]])
            self._run(lambda: client.post(f"/v2/models/{MODEL}/infer", json=request).status_code == OK)

    def _over_grpc(self) -> None:
        message = row(0.0, 5.0, model=MODEL).SerializeToString()
        with grpc.insecure_channel(self._server.grpc) as channel:
            infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
            self._run(lambda: ModelInferResponse.FromString(infer(message, timeout=30.0)).model_name == MODEL)

    def _observe_machine(self) -> None:
        """Note when a thread that sleeps is woken too late: the machine has other work, which is not the server's."""
        while not self._stopping.is_set():
            began = time.monotonic()
            time.sleep(PAUSE_SECONDS)
            end = time.monotonic()
            self._stalls.append((end, end - began - PAUSE_SECONDS))

    def _run(self, is_answered: Callable[[], bool]) -> None:
        while not self._stopping.wait(PAUSE_SECONDS):
            began, waited = time.monotonic(), waiting_seconds(self._server)
            try:
                self.failures += [] if is_answered() else ["another answer than expected"]
            except (httpx.HTTPError, grpc.RpcError) as error:
                self.failures.append(repr(error))
            late = sum(seconds for end, seconds in self._stalls[-100:] if end > began)
            waited = waiting_seconds(self._server) - waited
            self.slowest = max(self.slowest, time.monotonic() - began - late - waited)
            self.answered += 1


def waiting_seconds(server: Server) -> float:
    """The seconds for which threads of the server could run and got no processor, because the machine is busy."""
    found = 0
    for task in Path(f"/proc/{server.process.pid}/task").iterdir():
        with suppress(OSError):  # it has ended, or the system does not tell
            found += int((task / "schedstat").read_text().split()[1])
    return found / 1e9


def peak_bytes(server: Server) -> int:
    """The most memory that the server's process has held."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
