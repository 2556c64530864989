"""Answers compared with the OpenAPI document: their status, content type, and body."""

from typing import Any

import httpx
from jsonschema import Draft202012Validator

Document = dict[str, Any]


def closed(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """A copy of a schema in which objects have no other fields than those it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: closed(value) for key, value in schema.items()}
    if isinstance(copy.get("properties"), dict) and "additionalProperties" not in copy:
        copy["additionalProperties"] = False
    return copy


def problems(document: Document, method: str, path: str, answer: httpx.Response) -> list[str]:
    """The differences between an answer and the description of its operation, by the path's template."""
    responses = document["paths"][path][method.lower()]["responses"]
    response = responses.get(str(answer.status_code))
    if response is None:
        return [f"{answer.status_code} is none of {', '.join(responses)}"]
    kind = answer.headers["content-type"].partition(";")[0]
    if kind not in response["content"]:
        return [f"{kind} is none of {', '.join(response['content'])}"]
    if kind != "application/json":
        return []
    root = {**closed(response["content"][kind]["schema"]), "components": closed(document["components"])}
    return [
        f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(root).iter_errors(answer.json())
    ]
