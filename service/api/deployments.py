"""Hot swap over HTTP: deploys another artefact for one role of a model, and rolls it back."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Self, cast

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import Field, model_validator

from tightrope.monitors.records import Role
from tightrope.service.api.answers import Deployed, json_response
from tightrope.service.api.auth import actor_of
from tightrope.service.api.openapi import answers
from tightrope.service.api.ports import Deployer
from tightrope.service.api.request_body import ActorName, RequestBody
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.models import Endpoint
from tightrope.service.errors import CallerError
from tightrope.service.inference.engine import InferenceEngine


class CannotDeployError(CallerError):
    """The artefact cannot replace the one that serves; nothing has changed."""


class DeployBody(RequestBody):
    """The artefact (a file or an endpoint), its role, the reason and the operator."""

    role: Role = Role.COMPRESSED
    path: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=4096,
                pattern=r"^[^\x00]+$",
                description="A path on the server; relative to the folder of the file that it replaces",
            ),
        ]
        | None
    ) = None
    endpoint: Annotated[
        Endpoint | None, Field(description="As in the configuration, without token_file; instead of a path")
    ] = None
    qualification: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=4096,
                pattern=r"^[^\x00]+$",
                description="The file with the artefact's statement of qualification, on the server; beside the "
                "compressed model if left out",
            ),
        ]
        | None
    ) = None
    reason: Annotated[str, Field(min_length=3, max_length=1000)]
    actor: ActorName = None

    @property
    def statement(self) -> Path | None:
        """The file with the statement, if it is given."""
        return Path(self.qualification) if self.qualification else None

    @property
    def artefact(self) -> Path | Endpoint:
        """The artefact to deploy."""
        return Path(self.path) if self.path else cast(Endpoint, self.endpoint)

    @model_validator(mode="after")
    def _has_one_artefact(self) -> Self:
        if (self.path is None) == (self.endpoint is None):
            raise ValueError("needs either path or endpoint")
        if self.endpoint is not None and self.endpoint.token_file is not None:
            raise ValueError("endpoint.token_file cannot be given here: it would send any file anywhere")
        return self


class RollBackBody(RequestBody):
    """The reason and the operator."""

    reason: Annotated[str, Field(min_length=3, max_length=1000)]
    actor: ActorName = None


def create_router(engine: InferenceEngine, deployer: Deployer, authorised: Callable[..., str]) -> APIRouter:
    """``POST /v1/models/{model}/deploy`` and ``…/rollback``."""
    router = APIRouter(prefix="/v1", tags=["control"])
    owner = Annotated[str, Depends(authorised)]

    @router.post("/models/{model}/deploy", **answers(Deployed, 401, 403, 404, 503))
    def deploy(model: str, body: DeployBody, operator: owner) -> Response:
        """Load an artefact beside the one that serves, check it, and switch without a failed request.

        Scopes in safe mode stay there until there is evidence from the shadow that the new artefact is good.
        """
        name = engine.pair(model).name
        try:
            kept = deployer.deploy(
                name, body.role, body.artefact, actor_of(operator, body.actor), body.reason, body.statement
            )
        except ConfigError as error:
            raise CannotDeployError("; ".join(error.problems)) from error
        return _deployed(engine, name, kept=kept)

    @router.post("/models/{model}/rollback", **answers(Deployed, 401, 403, 404, 503))
    def rollback(model: str, body: RollBackBody, operator: owner) -> Response:
        """Switch back to the artefacts before the latest deployment."""
        name = engine.pair(model).name
        try:
            kept = deployer.roll_back(name, actor_of(operator, body.actor), body.reason)
        except LookupError as error:
            raise CannotDeployError(f"model {name}: nothing was deployed since it started") from error
        except ConfigError as error:
            raise CannotDeployError("; ".join(error.problems)) from error
        return _deployed(engine, name, kept=kept)

    return router


def _deployed(engine: InferenceEngine, name: str, *, kept: bool) -> Response:
    models = engine.pair(name).models
    document: Deployed = {
        "name": name,
        "baseline_digest": models[Role.BASELINE].digest,
        "compressed_digest": models[Role.COMPRESSED].digest,
        "kept": kept,
    }
    return json_response(document)
