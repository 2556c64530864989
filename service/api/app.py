"""Everything but inference put together: what answers it is built on FastAPI, which takes longer to load than all that
inference needs, so whoever serves loads this module when requests are answered already.
"""

from collections.abc import Callable, Container
from functools import partial

from fastapi import FastAPI

from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.ports import Bus, Trail
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.api import deployments, drift_reports, labels, payload_events
from tightrope.service.api.auth import application, operator
from tightrope.service.api.ports import Deployer, Desk
from tightrope.service.api.routes import create_api
from tightrope.service.inference.engine import Gateway


def pages(
    gateway: Gateway,
    bus: Bus,
    store: Trail,
    desk: Desk,
    deployer: Deployer,
    token: str | None,
    told: Container[str],
    shelf: ReportStore,
    knows: Callable[[], bool],
) -> FastAPI:
    """The application; ``told`` has the models that take payload events, ``shelf`` the drift reports."""
    newest = partial(drift_reports.newest, shelf)
    api = create_api(gateway, desk, store, bus, topic(CONTROL), token, newest, knows)
    api.include_router(labels.routes(gateway, bus, application(token)))
    api.include_router(payload_events.routes(gateway, bus, told, application(token)))
    api.include_router(deployments.routes(gateway, deployer, operator(token)))
    api.include_router(drift_reports.routes(gateway, shelf))
    return api
