"""OpenAPI description of the inference endpoints, which a layer outside FastAPI serves."""

from typing import Any

from fastapi import FastAPI

_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "datatype": {
            "type": "string",
            "enum": [
                "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                "FP16", "FP32", "FP64", "BYTES",
            ],
        },
        "parameters": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        "data": {"type": "array", "items": {}, "description": "Row-major, flat or nested; left out for binary tensors"},
    },
}  # fmt: skip
_PARAMETERS = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
    "properties": {
        "served_by": {"type": "string", "enum": ["baseline", "compressed"]},
        "safe_mode": {"type": "boolean", "description": "Whether a subgroup of this request is in safe mode"},
        "fallback": {"type": "string", "description": "The role that failed and was replaced by the other one"},
        "escalated": {
            "type": "boolean",
            "description": "Whether the baseline re-ran it because the compressed model was unsure",
        },
        "refused": {"type": "boolean", "description": "Whether any row was too uncertain"},
        "refused_rows": {
            "type": "string",
            "description": "Indices of the refused rows, from 0, comma-separated; absent for one row",
        },
        "monitored": {
            "type": "boolean",
            "description": "false: neither model gave a decision that can be read; this answer is judged by no monitor",
        },
        "fault": {
            "type": "string",
            "enum": ["not_finite", "out_of_range", "another_shape"],
            "description": "Why the decision cannot be read; such an answer has no confidence",
        },
        "confidence": {"type": "number", "description": "Lowest confidence of the rows"},
        "uncertainty": {"type": "number", "description": "Highest entropy of the rows, as a share of its maximum"},
        "model_digest": {
            "type": "string",
            "description": "SHA-256 of the answering file, or of the identity of a model on another server",
        },
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string", "maxLength": 256},
        "parameters": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}
_RESPONSE = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": _PARAMETERS,
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}, "application/octet-stream": {"schema": {"type": "string"}}}


def _infer(names: tuple[str, ...]) -> dict[str, Any]:
    reasons = {
        "400": "The request is wrong",
        "404": "No such model",
        "413": "Too large",
        "500": "No model can answer",
        "503": "No model is available",
    }
    errors = {
        code: {"description": text, "content": {"application/json": {"schema": _ERROR}}}
        for code, text in reasons.items()
    }
    return {
        "post": {
            "tags": ["inference protocol"],
            "summary": "Infer",
            "operationId": "_".join(("infer", *names)),
            "description": "Open Inference Protocol v2, JSON or binary tensors.",
            "parameters": [
                *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names),
                {
                    "name": "Inference-Header-Content-Length",
                    "in": "header",
                    "schema": {"type": "integer", "minimum": 0},
                },
            ],
            "requestBody": {"required": True, "content": _content(_REQUEST)},
            "responses": {"200": {"description": "The answer", "content": _content(_RESPONSE)}, **errors},
        }
    }


def describe_inference(app: FastAPI) -> None:
    """Add the inference endpoints to the application's OpenAPI document."""
    original = app.openapi

    def extended() -> dict[str, Any]:
        document = original()
        document["paths"]["/v2/models/{model}/infer"] = _infer(("model",))
        document["paths"]["/v2/models/{model}/versions/{version}/infer"] = _infer(("model", "version"))
        return document

    app.openapi = extended  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
