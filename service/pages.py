"""Everything but inference put together: what answers it is built on FastAPI, which takes longer to load than all that
inference needs, so whoever serves loads this module when requests are answered already.
"""

from collections.abc import Callable, Container
from functools import partial

from fastapi import FastAPI

from service import deploy, intake, labels, reports
from service.access import application, operator
from service.adapters.ports import Bus, Trail
from service.adapters.reports import ReportStore
from service.adapters.topics import CONTROL, topic
from service.api import create_api
from service.desk import Deployer, Desk
from service.gateway import Gateway


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
    newest = partial(reports.newest, shelf)
    api = create_api(gateway, desk, store, bus, topic(CONTROL), token, newest, knows)
    api.include_router(labels.routes(gateway, bus, application(token)))
    api.include_router(intake.routes(gateway, bus, told, application(token)))
    api.include_router(deploy.routes(gateway, deployer, operator(token)))
    api.include_router(reports.routes(gateway, shelf))
    return api
