"""The gateway's wiring, on one screen: the only function of this package that puts the parts together."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from monitors.records import Role
from service import deploy, golden, labels, reports
from service.access import application, operator
from service.adapters.metrics import Metrics
from service.adapters.onnx import OnnxModel
from service.adapters.ports import Bus, Model, RunFailedError, Trail
from service.adapters.reports import ReportStore
from service.adapters.series import Part
from service.adapters.topics import CONTROL, topic
from service.api import Desk, create_api
from service.control import ControlLoop
from service.deploy import Deployer
from service.gateway import Gateway
from service.http import App, InferLayer
from service.outbox import Outbox
from service.pair import Pair, build
from service.router import Router
from service.settings import ConfigError, Settings, control_token
from service.tensors import dtype_of

SLOW_SECONDS = 0.001
"""A model that takes longer for one row runs in a thread: it would hold up everybody on the event loop, and a thread
hop costs less than a tenth of it."""

TRIALS = 5

SILENCE = 60.0
"""Seconds without a word from judges elsewhere, after which this is told."""

ROWS, REPORTS = "rows", "reports"
"""Folders in the state's: compared rows, and the drift reports made of them."""


@dataclass(frozen=True, slots=True)
class Service:
    """A gateway that is wired and not started yet."""

    app: App
    gateway: Gateway
    outbox: Outbox
    control: ControlLoop

    def start(self) -> None:
        """Start the threads beside the request path."""
        self.outbox.start()
        self.control.start()

    def stop(self, timeout: float) -> None:
        """Publish what waits, then stop."""
        self.outbox.stop(timeout)
        self.control.stop(timeout)


def load_model(path: Path, threads: int) -> Model:
    """An ONNX file from disk."""
    return OnnxModel(path, threads)


def load_pairs(settings: Settings, load: Callable[[Path, int], Model] = load_model) -> dict[str, Pair]:
    """Load and check every model.

    Raises:
        ConfigError: with every mistake of every model.
    """
    pairs: dict[str, Pair] = {}
    problems: list[str] = []
    for name in settings.models:
        try:
            pairs[name] = build(name, settings, load)
            golden_rows(pairs[name], settings)
        except ConfigError as error:
            problems += error.problems
    if settings.reports.every_seconds is not None and importlib.util.find_spec("evidently") is None:
        problems.append("reports.every_seconds: drift reports need more: pip install 'tightrope[reports]'")
    if problems:
        raise ConfigError(problems)
    return pairs


def golden_rows(pair: Pair, settings: Settings) -> golden.Golden | None:
    """The rows that a model's traffic is compared with in drift reports, where the settings name a file of them.

    Raises:
        ConfigError: when the file does not fit the model.
    """
    path = settings.models[pair.name].golden
    if path is None:
        return None
    key, most = f"models.{pair.name}.golden", max(settings.reports.reference_rows, 1)
    return golden.read(path, key, pair.inputs, pair.subgroups, most)


def build_service(
    settings: Settings,
    pairs: dict[str, Pair],
    slow: dict[str, bool],
    bus: Bus,
    store: Trail,
    desk: Desk,
    deployer: Deployer,
    metrics: Metrics,
    patience: float | None = None,
) -> Service:
    """Wire a gateway for these pairs; ``slow`` says which of them must not run on the event loop. Where the judge is
    elsewhere, ``patience`` is how many seconds it may be until the modes are known.
    """
    for name, pair in pairs.items():
        metrics.announce(Part.GATEWAY, name, pair.plan.scopes)
    elsewhere = patience is not None
    router = Router({name: pair.subgroups.scopes for name, pair in pairs.items()}, cautious=elsewhere)
    outbox = Outbox(bus, metrics.dropped)
    gateway = Gateway(pairs, router, outbox, metrics)
    control = ControlLoop(bus, router, metrics, SILENCE if elsewhere else float("inf"))
    until = time.monotonic() + (patience or 0.0)
    token = control_token(settings)
    shelf = ReportStore(settings.state / REPORTS)
    newest, known = partial(reports.newest, shelf), partial(_knows, control, until)
    api = create_api(gateway, desk, store, bus, topic(CONTROL), token, newest, known)
    api.include_router(labels.routes(gateway, bus, application(token)))
    api.include_router(deploy.routes(gateway, deployer, operator(token)))
    api.include_router(reports.routes(gateway, shelf))
    return Service(InferLayer(api, gateway, settings.server.max_body_bytes, slow), gateway, outbox, control)


def _knows(control: ControlLoop, until: float) -> bool:
    """Whether this replica knows the modes, or has waited long enough for them."""
    return control.caught_up.is_set() or time.monotonic() >= until


def is_slow(pair: Pair) -> bool:
    """Whether either model takes longer than `SLOW_SECONDS` for one row of zeros; also warms both up."""
    return max(_seconds(pair, role) for role in Role) > SLOW_SECONDS


def _seconds(pair: Pair, role: Role) -> float:
    """The best of a few trials; a model that refuses zeros counts as slow."""
    shapes = {spec.name: tuple(1 if side < 0 else side for side in spec.shape) for spec in pair.inputs}
    row = {
        spec.name: np.full(shapes[spec.name], "", dtype=object)
        if spec.datatype == "BYTES"
        else np.zeros(shapes[spec.name], dtype_of(spec.datatype))
        for spec in pair.inputs
    }
    taken = []
    for _ in range(TRIALS):
        began = time.perf_counter()
        try:
            pair.models[role].run(row, [pair.output])
        except RunFailedError:
            return float("inf")
        taken.append(time.perf_counter() - began)
    return min(taken)
