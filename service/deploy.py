"""Hot swap over HTTP: another artefact for one role of a model, and the way back."""

from collections.abc import Callable
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from monitors.records import Role
from service.errors import CallerError
from service.gateway import Gateway
from service.settings import ConfigError


class CannotDeployError(CallerError):
    """The artefact cannot take the place of the one that serves; nothing has changed."""


class Deployer(Protocol):
    """Whoever can put another artefact in place while requests are answered."""

    def deploy(self, model: str, role: Role, path: str, actor: str, reason: str) -> None:
        """Load, check, and switch.

        Raises:
            ConfigError: when the artefact does not fit; nothing has changed then.
        """

    def roll_back(self, model: str, actor: str, reason: str) -> None:
        """Switch to what was there before the latest deployment.

        Raises:
            LookupError: when there is nothing to go back to.
        """


class DeployBody(BaseModel):
    """Which file, for which role, why, and who."""

    model_config = ConfigDict(extra="forbid")

    role: Role = Role.COMPRESSED
    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4096,
            pattern=r"^[^\x00]+$",
            description="On the server; a relative one lies beside the file that it replaces",
        ),
    ]
    reason: Annotated[str, Field(min_length=3, max_length=1000)]
    actor: Annotated[str, Field(min_length=1, max_length=200)]


class RollBackBody(BaseModel):
    """Why, and who."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=3, max_length=1000)]
    actor: Annotated[str, Field(min_length=1, max_length=200)]


def routes(gateway: Gateway, deployer: Deployer, authorised: Callable[..., None]) -> APIRouter:
    """``POST /v1/models/{m}/deploy`` and ``…/rollback``."""
    router = APIRouter(prefix="/v1", tags=["control"], dependencies=[Depends(authorised)])

    @router.post("/models/{model}/deploy")
    def deploy(model: str, body: DeployBody) -> JSONResponse:
        """Load an artefact beside the one that serves, check it, and switch with no request failing.

        Scopes in safe mode stay there until the new artefact has proved itself in reverse shadow.
        """
        name = gateway.pair(model).name
        try:
            deployer.deploy(name, body.role, body.path, body.actor, body.reason)
        except ConfigError as error:
            raise CannotDeployError("; ".join(error.problems)) from error
        return _digests(gateway, name)

    @router.post("/models/{model}/rollback")
    def rollback(model: str, body: RollBackBody) -> JSONResponse:
        """Go back to the artefacts before the latest deployment."""
        name = gateway.pair(model).name
        try:
            deployer.roll_back(name, body.actor, body.reason)
        except LookupError as error:
            raise CannotDeployError(f"model {name}: nothing was deployed since it started") from error
        return _digests(gateway, name)

    return router


def _digests(gateway: Gateway, name: str) -> JSONResponse:
    models = gateway.pair(name).models
    return JSONResponse({"name": name, **{f"{role}_digest": models[role].digest for role in Role}})
