"""Everything in one process: gateway, worker and judge over the memory bus, with state in SQLite."""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import uvicorn

from monitors.records import Event
from service.adapters import host
from service.adapters.archive import DiskArchive
from service.adapters.endpoint import apart
from service.adapters.memory import MemoryBus
from service.adapters.metrics import Metrics, process_registry
from service.adapters.rows import Layout
from service.adapters.series import Part
from service.adapters.sqlite import SqliteStore
from service.app import ROWS, Service, build_service, is_slow, load_pairs
from service.pair import Pair
from service.settings import ConfigError, Server, Settings
from shadow.judge import Bench, Judge
from shadow.loop import Loop
from shadow.pairing import Watched
from shadow.worker import Worker
from tightrope.deploy import Deployer, Places, as_deployed
from tightrope.schedule import Reporter

log = logging.getLogger(__name__)

DATABASE = "tightrope.db"
"""The state's file, in the folder that the settings name."""

SWITCH_SECONDS = 0.0005
"""How long worker and judge may keep the interpreter while a request waits; Python's default is ten times that."""

STOP_SECONDS = 10.0
"""How long each part may take to finish what has arrived."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """All the parts, wired and not started yet."""

    service: Service
    bench: Bench
    store: SqliteStore
    worker: Loop
    judge: Loop
    archive: DiskArchive
    reporter: Reporter

    def start(self) -> None:
        """The judge first, so that modes are known before the first request."""
        self.judge.start()
        self.service.start()
        self.archive.start()
        self.reporter.start()
        self.worker.start()
        deadline = time.monotonic() + STOP_SECONDS
        while any(self.service.gateway.router.routes(name).epoch < 0 for name in self.bench.plans):
            if time.monotonic() > deadline:
                log.warning("the judge has not told the modes yet: the compressed models answer until it does")
                break
            time.sleep(0.005)

    def stop(self) -> None:
        """In the direction of the data, each part when it has finished what the one before it left."""
        self.service.stop(STOP_SECONDS)
        self.worker.stop(STOP_SECONDS)
        self.archive.stop(STOP_SECONDS)
        self.judge.stop(STOP_SECONDS)
        self.reporter.stop(STOP_SECONDS)
        self.store.close()


def wire_up(settings: Settings, config: Path | None = None) -> Embedded:
    """Build everything from the settings; ``config`` is the file that a drift report's own process reads them from.

    Raises:
        ConfigError: with every mistake in the settings or the models.
    """
    settings = as_deployed(settings)
    pairs = load_pairs(settings)
    metrics = Metrics(process_registry())
    bus, store = MemoryBus(), SqliteStore(settings.state / DATABASE, exclusive=True)
    places = Places(
        pairs=pairs,
        watched={name: as_watched(pair) for name, pair in pairs.items()},
        plans={name: pair.plan for name, pair in pairs.items()},
        slow={name: is_slow(pair) for name, pair in pairs.items()},
    )
    bench = Bench(places.plans)
    for part, plan in product((Part.WORKER, Part.JUDGE), places.plans.values()):
        metrics.announce(part, plan.model, plan.scopes)

    def tell(event: Event) -> None:
        service.outbox.note(event)

    deployer = Deployer(settings, places, as_watched, tell)
    service = build_service(settings, pairs, places.slow, bus, store, bench, deployer, metrics)
    archive = _archive(settings, pairs, metrics)
    return Embedded(
        service=service,
        bench=bench,
        store=store,
        worker=Loop("worker", partial(Worker, bus, places.watched, metrics, archive=archive)),
        judge=Loop("judge", partial(Judge, bus, store, bench, metrics, host.cpu())),
        archive=archive,
        reporter=Reporter(settings, {name: pair.plan.scopes for name, pair in pairs.items()}, metrics, config),
    )


def _archive(settings: Settings, pairs: Mapping[str, Pair], metrics: Metrics) -> DiskArchive:
    layouts = {name: Layout.of(pair.inputs) for name, pair in pairs.items()}
    first = {n: 0 if of.golden else settings.reports.reference_rows for n, of in settings.models.items()}
    keep = settings.reports.keep_rows
    return DiskArchive(settings.state / ROWS, layouts, keep=keep, reference=first, metrics=metrics)


def as_watched(pair: Pair) -> Watched:
    """A pair as the shadow sees it."""
    free = all(spec.shape[0] == -1 for spec in pair.inputs)
    models = {role: apart(model) for role, model in pair.models.items()}
    return Watched(models, pair.decision, pair.output, free, pair.noise_share)


class HttpServer(uvicorn.Server):
    """uvicorn, telling when it listens and where; whoever runs it decides about signals.

    Raises:
        ConfigError: when the address is not to be had.
    """

    def __init__(self, settings: Settings, embedded: Embedded) -> None:
        config = uvicorn.Config(
            embedded.service.app,
            host=settings.server.host,
            port=settings.server.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=int(STOP_SECONDS),
        )
        super().__init__(config)
        self._listener = _listen(settings.server)

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


def run(settings: Settings, ready: Callable[[str, int], None], config: Path | None = None) -> None:
    """Serve until a signal says stop. ``ready`` is told the address when the first request would be answered."""
    sys.setswitchinterval(SWITCH_SECONDS)
    embedded = wire_up(settings, config)
    server = HttpServer(settings, embedded)
    embedded.start()
    try:
        server.serve_until_told(ready, (signal.SIGINT, signal.SIGTERM))
    finally:
        embedded.stop()
