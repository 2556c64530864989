"""Health and metadata routes of the Open Inference Protocol v2 (inference_rest.md)."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import Response

from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.protocol.metadata import EXTENSIONS, PLATFORM, SERVER_VERSION
from tightrope.service.protocol.tensors import TensorSpec


def create_router(engine: InferenceEngine, is_ready: Callable[[], bool]) -> APIRouter:
    """``GET /v2``, ``/v2/health/…`` and ``/v2/models/{model}…``."""
    router = APIRouter(prefix="/v2", tags=["inference protocol"])

    @router.get("")
    def server() -> dict[str, object]:
        """Server metadata: name, version and extensions."""
        return {"name": "tightrope", "version": SERVER_VERSION, "extensions": list(EXTENSIONS)}

    @router.get("/health/live")
    def live() -> dict[str, bool]:
        """Liveness: the process answers. Depends on nothing outside the process."""
        return {"live": True}

    @router.get("/health/ready")
    def ready(response: Response) -> dict[str, object]:
        """Readiness: this replica knows the current modes and can answer. A replica in safe mode is ready. ``models``
        names each model whose baseline answers for another reason than its modes, with the reason.
        """
        is_up = is_ready()
        response.status_code = 200 if is_up else 503
        reasons = {name: reason for name in engine.pairs if (reason := engine.router.explain(name))}
        return {"ready": is_up, **({"models": reasons} if reasons else {})}

    @router.get("/models/{model}")
    @router.get("/models/{model}/versions/{version}")
    def metadata(model: str, version: str | None = None) -> dict[str, object]:
        """Model metadata: version, inputs and outputs."""
        pair = engine.pair(model, version)
        return {
            "name": pair.name,
            "versions": [pair.version],
            "platform": PLATFORM,
            "inputs": [_tensor(spec) for spec in pair.inputs],
            "outputs": [_tensor(spec) for spec in pair.outputs],
        }

    @router.get("/models/{model}/ready")
    @router.get("/models/{model}/versions/{version}/ready")
    def model_ready(model: str, version: str | None = None) -> dict[str, object]:
        """Model readiness: the model is served here."""
        return {"name": engine.pair(model, version).name, "ready": True}

    return router


def _tensor(spec: TensorSpec) -> dict[str, object]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}
