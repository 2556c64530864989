"""An HTTP server that somebody else starts and stops: of the gateway, and of whatever else shows its health."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from service.http import App
from service.settings import ConfigError, Server

STOP_SECONDS = 10.0
"""How long each part may take to finish what has arrived."""

TOLD = (signal.SIGINT, signal.SIGTERM)
"""The signals that say stop."""


class HttpServer(uvicorn.Server):
    """uvicorn, telling when it listens and where; whoever runs it decides about signals.

    Raises:
        ConfigError: when the address is not to be had.
    """

    def __init__(self, server: Server, app: App) -> None:
        config = uvicorn.Config(
            app,
            host=server.host,
            port=server.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=int(STOP_SECONDS),
        )
        super().__init__(config)
        self._listener = _listen(server)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: uvicorn's own way would end the process before what has arrived is finished."""
        yield

    def serve_until_told(self, ready: Callable[[str, int], None], signals: Sequence[int] = ()) -> None:
        """Run an event loop until `should_exit` is set, or one of the signals comes."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            for number in signals:
                runner.get_loop().add_signal_handler(number, self.handle_exit, number, None)
            runner.run(self._announced(ready))

    async def _announced(self, ready: Callable[[str, int], None]) -> None:
        serving = asyncio.create_task(self.serve([self._listener]))
        while not self.started and not serving.done():
            await asyncio.sleep(0.005)  # uvicorn has no event to wait for
        if self.started:
            ready(*self.servers[0].sockets[0].getsockname()[:2])
        await serving


def _listen(server: Server) -> socket.socket:
    """Take the port; uvicorn's own way would end the process with a traceback where it is in use."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        return socket.create_server((server.host, server.port), family=family)
    except OSError as error:
        raise ConfigError([f"server: cannot listen: {error.strerror}"]) from error
