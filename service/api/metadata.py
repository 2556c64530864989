"""Health and metadata routes of the Open Inference Protocol v2 (inference_rest.md)."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import Response

from tightrope.service.api.answers import (
    Liveness,
    ModelMetadata,
    ModelReadiness,
    Readiness,
    ServerMetadata,
    TensorMetadata,
    json_response,
)
from tightrope.service.api.openapi import answers
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.protocol.metadata import EXTENSIONS, PLATFORM, SERVER_VERSION
from tightrope.service.protocol.tensors import TensorSpec


def create_router(engine: InferenceEngine, is_ready: Callable[[], bool]) -> APIRouter:
    """``GET /v2``, ``/v2/health/…`` and ``/v2/models/{model}…``."""
    router = APIRouter(prefix="/v2", tags=["inference protocol"])

    @router.get("", **answers(ServerMetadata))
    def server() -> Response:
        """Server metadata: name, version and extensions."""
        document: ServerMetadata = {"name": "tightrope", "version": SERVER_VERSION, "extensions": list(EXTENSIONS)}
        return json_response(document)

    @router.get("/health/live", **answers(Liveness))
    def live() -> Response:
        """Liveness: the process answers. Depends on nothing outside the process."""
        document: Liveness = {"live": True}
        return json_response(document)

    @router.get("/health/ready", **answers(Readiness, others={503: Readiness}))
    def ready() -> Response:
        """Readiness: this replica knows the current modes and can answer. A replica in safe mode is ready. ``models``
        names each model whose baseline answers for another reason than its modes, with the reason.
        """
        document: Readiness = {"ready": is_ready()}
        reasons = {name: reason for name in engine.pairs if (reason := engine.router.explain(name))}
        if reasons:
            document["models"] = reasons
        return json_response(document, 200 if document["ready"] else 503)

    @router.get("/models/{model}", **answers(ModelMetadata, 404))
    @router.get("/models/{model}/versions/{version}", **answers(ModelMetadata, 404))
    def metadata(model: str, version: str | None = None) -> Response:
        """Model metadata: version, inputs and outputs."""
        pair = engine.pair(model, version)
        document: ModelMetadata = {
            "name": pair.name,
            "versions": [pair.version],
            "platform": PLATFORM,
            "inputs": [_tensor(spec) for spec in pair.declared_inputs],
            "outputs": [_tensor(spec) for spec in pair.declared_outputs],
        }
        return json_response(document)

    @router.get("/models/{model}/ready", **answers(ModelReadiness, 404))
    @router.get("/models/{model}/versions/{version}/ready", **answers(ModelReadiness, 404))
    def model_ready(model: str, version: str | None = None) -> Response:
        """Model readiness: the model is served here."""
        document: ModelReadiness = {"name": engine.pair(model, version).name, "ready": True}
        return json_response(document)

    return router


def _tensor(spec: TensorSpec) -> TensorMetadata:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}
