"""The OpenAPI document: schemas derived from the types of `answers`, and the status codes that really come."""

import inspect
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec
from fastapi import FastAPI

from tightrope.service.api.answers import ANSWERS, Error
from tightrope.service.api.inference_schema import INFERENCE_SCHEMAS, REFERENCE

ERRORS = {
    400: "The request is wrong or cannot be parsed: the error names the mistake",
    401: "A valid bearer token is needed",
    403: "No token is configured, so the control API is off",
    404: "No such model, version, scope, week or report, or the model does not take this",
    408: "The request did not arrive in time",
    409: "The order does not fit the state of the model: the error names it",
    413: "The body is too large",
    414: "The URL is too long",
    415: "The content encoding is not supported",
    429: "Too many connections from this address, or too many requests that wait on one",
    431: "The headers are too large, or too many",
    500: "An unexpected error, or a failure of both models: the server's log says more",
    503: "Not available just now: a retry may succeed",
}
"""The status codes of errors."""

COMMON_ERRORS = (400, 408, 414, 429, 431, 500, 503)
"""Errors that any request can get, most of them before its path is looked at."""

BODY_ERRORS = (413, 415)
"""Errors of any request that has a body."""

ERROR_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "`Bearer`", "schema": {"type": "string"}}},
    503: {"Retry-After": {"description": "Seconds after which to try again, if known", "schema": {"type": "integer"}}},
}

INTRODUCTION = """
Inference, health and metadata follow the [Open Inference Protocol
v2](https://github.com/kserve/open-inference-protocol); `/v1` is Tightrope's own. Every error has the body
`{"error": "…"}`.

Paths with GET also take HEAD, a slash at the end of a path changes nothing, and a method that a path does not take is
answered with 405 and the header `Allow`. Bodies may be compressed (`Content-Encoding: gzip` or `deflate`). Control
needs the bearer token of the configuration.
"""
"""The text at the top of the document, in Markdown."""

MAY_BE_NULL = {"Verdict": ("needed", "limit", "evidence", "recovery")}
"""Figures by type that are null where they are no finite number: a detector without data has minus infinity."""


def answers(
    kind: type, *errors: int, status: int = 200, others: Mapping[int, type] = MappingProxyType({})
) -> dict[str, Any]:
    """The arguments of a route that answers with JSON of a kind, with that of another kind, or with an error."""
    kinds = {status: kind, **others}
    return {
        "status_code": status,
        "response_model": None,
        "responses": {**{code: _answer(other) for code, other in kinds.items()}, **refusals(*errors)},
    }


def refusals(*errors: int) -> dict[int | str, dict[str, Any]]:
    """The description of answers that are errors."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in errors:
        headers = {"headers": ERROR_HEADERS[code]} if code in ERROR_HEADERS else {}
        described[code] = {**_answer(Error), "description": ERRORS[code], **headers}
    return described


def schemas() -> dict[str, Any]:
    """The schemas of all answers, by name."""
    _, components = msgspec.json.schema_components(ANSWERS, schema_hook=_any_value, ref_template=REFERENCE)
    for schema in components.values():
        if "description" in schema:
            schema["description"] = _paragraph(schema["description"])
    for name, fields in MAY_BE_NULL.items():
        for field in fields:
            components[name]["properties"][field] = {"type": ["number", "null"]}
    return {**components, **INFERENCE_SCHEMAS}


def complete_document(app: FastAPI) -> None:
    """Make the application's document a true one: with all schemas, with the errors that any request can get, and
    without the status 422, which never comes.
    """
    original: Callable[[], dict[str, Any]] = app.openapi

    @cache
    def completed() -> dict[str, Any]:
        document = deepcopy(original())  # FastAPI keeps its own, and another thread may complete it at the same time
        components = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            components.pop(name, None)
        for body in components.values():
            _allow_nulls(body)
        components |= schemas()
        for path in document["paths"].values():
            for operation in path.values():
                _complete_operation(operation)
        return document

    app.openapi = completed  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _allow_nulls(body: dict[str, Any]) -> None:
    """Let the optional fields of a request's body be null, which means that they are absent."""
    for name, field in body.get("properties", {}).items():
        if name not in body.get("required", ()) and {"type": "null"} not in field.get("anyOf", ()):
            kept = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
            body["properties"][name] = {"anyOf": [field, {"type": "null"}], **kept}


def _any_value(kind: type) -> dict[str, Any]:
    """The schema of `object`, any JSON value.

    Raises:
        NotImplementedError: for another type that msgspec does not know.
    """
    if kind is object:
        return {"description": "Any JSON value"}
    raise NotImplementedError(kind)


def _complete_operation(operation: dict[str, Any]) -> None:
    """Make the first sentence of the description the summary; the path's errors follow those of every path."""
    description = " ".join(operation.pop("description").split())
    operation["summary"] = re.split(r"[.:;] ", description)[0].removesuffix(".")
    if description.removesuffix(".") != operation["summary"]:
        operation["description"] = description
    has_body = "requestBody" in operation
    responses = {code: answer for code, answer in operation["responses"].items() if code != "422"}
    errors = refusals(*COMMON_ERRORS, *(BODY_ERRORS if has_body else ()))
    for code, error in errors.items():
        responses[str(code)] = _either(responses[str(code)], error) if str(code) in responses else error
    operation["responses"] = dict(sorted(responses.items()))


def _either(answer: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    """An answer of a route that is the common error, or, as for a replica that is not ready, a document of its own."""
    kinds = [each["content"]["application/json"]["schema"] for each in (answer, error)]
    if kinds[0] == kinds[1]:
        return answer
    return {
        **error,
        "description": answer["description"],
        "content": {"application/json": {"schema": {"anyOf": kinds}}},
    }


def _answer(kind: type) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(name=kind.__name__)}}}
    return {"description": _paragraph(inspect.getdoc(kind) or ""), "content": content}


def _paragraph(docstring: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(docstring).split("\n\n")[0].split())
