"""Schemas and routes of inference in the OpenAPI document. A layer outside FastAPI answers these paths."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from tightrope.monitors.records import Role
from tightrope.service.adapters.prometheus.catalogue import FAULT_REASONS
from tightrope.service.protocol.rest import HEADER_LENGTH, MAX_ID_LENGTH
from tightrope.service.protocol.tensors import DATATYPE_NAMES

REFERENCE = "#/components/schemas/{name}"
"""The template of a reference to a schema."""

_NAME = {"type": "string", "description": "As in the metadata of the model"}
_DATATYPE = {"type": "string", "enum": [*DATATYPE_NAMES.values()]}
_SCALARS = {"additionalProperties": {"type": ["string", "number", "boolean"]}}
_SIZE = {"binary_data_size": {"type": "integer", "minimum": 0, "description": "Bytes of the tensor after the JSON"}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": REFERENCE.format(name=name)}


EXAMPLE = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 1.0]}]}
"""One row of two columns."""

INFERENCE_SCHEMAS: dict[str, dict[str, Any]] = {
    "InputTensor": {
        "type": "object",
        "description": "A tensor as a flat or nested array, or as bytes after the JSON, counted in `parameters`",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": _NAME,
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "datatype": _DATATYPE,
            "parameters": {"type": ["object", "null"], "properties": _SIZE, **_SCALARS},
            "data": {"type": ["array", "null"], "items": {}, "description": "Row-major"},
        },
    },
    "RequestedOutput": {
        "type": "object",
        "description": "An output that is asked for; without any, all are returned",
        "required": ["name"],
        "properties": {
            "name": _NAME,
            "parameters": {
                "type": ["object", "null"],
                "properties": {"binary_data": {"type": "boolean", "description": "Return it as bytes after the JSON"}},
                **_SCALARS,
            },
        },
    },
    "InferenceRequest": {
        "type": "object",
        "description": "The rows that a model shall decide. Fields that are not listed here are ignored",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"], "maxLength": MAX_ID_LENGTH},
            "parameters": {
                "type": ["object", "null"],
                "properties": {"binary_data_output": {"type": "boolean", "description": "Return all outputs as bytes"}},
                **_SCALARS,
            },
            "inputs": {"type": "array", "items": _reference("InputTensor"), "minItems": 1},
            "outputs": {"type": ["array", "null"], "items": _reference("RequestedOutput")},
        },
        "examples": [EXAMPLE],
    },
    "AnswerParameters": {
        "type": "object",
        "description": "How the answer was made",
        "properties": {
            "served_by": {"type": "string", "enum": [*map(str, Role)]},
            "safe_mode": {"type": "boolean", "description": "Whether a subgroup of this request is in safe mode"},
            "fallback": {"type": "string", "description": "The role that failed and was replaced by the other one"},
            "escalated": {
                "type": "boolean",
                "description": "Whether the baseline re-ran it because the compressed model was unsure, or said a "
                "class that it says too often",
            },
            "refused": {"type": "boolean", "description": "Whether any row was too uncertain"},
            "refused_rows": {
                "type": "string",
                "description": "Indices of the refused rows, from 0, comma-separated; absent for one row",
            },
            "monitored": {
                "type": "boolean",
                "description": "false: no monitor judges this answer, for the reason in `fault`",
            },
            "fault": {
                "type": "string",
                "enum": [*FAULT_REASONS],
                "description": "Why the decision cannot be read (it has no confidence then), or is not the baseline's",
            },
            "confidence": {"type": "number", "description": "Lowest confidence of the rows"},
            "uncertainty": {"type": "number", "description": "Highest entropy of the rows, as a share of its maximum"},
            "model_digest": {
                "type": "string",
                "description": "SHA-256 of the answering file, or of the identity of a model on another server",
            },
        },
        **_SCALARS,
    },
    "OutputTensor": {
        "type": "object",
        "description": "A tensor as a flat array, or as bytes after the JSON",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": _NAME,
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": _DATATYPE,
            "parameters": {"type": "object", "required": ["binary_data_size"], "properties": _SIZE},
            "data": {
                "type": "array",
                "items": {"type": ["number", "boolean", "string", "null"]},
                "description": "Row-major. NaN and infinity are null, in answers with `monitored: false` only",
            },
        },
    },
    "InferenceAnswer": {
        "type": "object",
        "description": "The outputs of the model that answered",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string", "maxLength": MAX_ID_LENGTH, "description": "The request's, or a made one"},
            "parameters": _reference("AnswerParameters"),
            "outputs": {"type": "array", "items": _reference("OutputTensor")},
        },
    },
}
"""The messages of inference. The protocol's own description: inference_rest.md of the Open Inference Protocol v2."""


def _content(name: str) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    return {"application/json": {"schema": _reference(name)}, "application/octet-stream": binary}


_LENGTH = {"type": "integer", "minimum": 0}
_LENGTH_TEXT = "Bytes of JSON at the start of a body that has tensors after it; 0 in a request: the body is one tensor"
"""The header of binary tensors, in requests and answers."""


def create_router(refused: dict[int | str, dict[str, Any]]) -> APIRouter:
    """``POST /v2/models/{model}/infer`` and ``…/versions/{version}/infer``: described here, and answered by the layer
    outside, which leaves other methods to this router. ``refused`` describes the errors.
    """
    router = APIRouter(prefix="/v2", tags=["inference protocol"])
    described: dict[str, Any] = {
        "requestBody": {"required": True, "content": _content("InferenceRequest")},
        "parameters": [{"name": HEADER_LENGTH, "in": "header", "schema": _LENGTH, "description": _LENGTH_TEXT}],
    }
    answered = {
        "description": "The answer",
        "content": _content("InferenceAnswer"),
        "headers": {HEADER_LENGTH: {"description": "Only where tensors follow the JSON", "schema": _LENGTH}},
    }
    options: dict[str, Any] = {
        "response_class": Response,
        "responses": {200: answered, **refused},
        "openapi_extra": described,
    }

    @router.post("/models/{model}/infer", **options)
    def infer(model: str) -> Response:
        """Infer by the Open Inference Protocol v2, with tensors as JSON or as bytes."""
        raise NotImplementedError(model)

    @router.post("/models/{model}/versions/{version}/infer", **options)
    def infer_by_version(model: str, version: str) -> Response:
        """Infer by the Open Inference Protocol v2 with a version of the model, which must be the one served."""
        raise NotImplementedError(model, version)

    return router
