"""The list of rows to label on a judge's own port: in a cluster only the judge of a model has it.

Labels are sent to a gateway, which signs them.
"""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tightrope.monitors.plan import Plan
from tightrope.service.adapters.ports import LabelLists
from tightrope.service.config.access import AccessTokens

DEFAULT_LISTED, MOST_LISTED = 100, 10_000
"""Rows of one list, by default and at most."""

TOKEN_UNSET = "the list is off: set TIGHTROPE_CONTROL_TOKEN or server.control_token_file of this judge"  # noqa: S105


def label_route(
    plans: Mapping[str, Plan], is_judged: Callable[[str], bool], lists: Callable[[], LabelLists], tokens: AccessTokens
) -> Route:
    """``GET /v1/models/{model}/labels`` of a judge; ``is_judged`` tells whether it judges a model now, and
    ``lists`` returns what it has at the moment: it begins anew when models are assigned to it.

    A request without one of the ``tokens`` for orders is refused, and every request where none is configured: ids are
    private.
    """

    def rows_to_label(request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if not tokens.has_control:
            return _refused(403, TOKEN_UNSET)
        if scheme != "Bearer" or tokens.operator(given) is None:
            return _refused(401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})
        name, limit = request.path_params["model"], request.query_params.get("limit", str(DEFAULT_LISTED))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_LISTED):
            return _refused(400, f"limit: is {limit[:20]!r}; it must be a whole number from 1 to {MOST_LISTED}")
        if reason := _missing(plans, is_judged, name):
            return _refused(404, reason)
        draw = plans[name].label_draw
        rows = lists().rows_to_label(name, draw, int(limit))
        chances = draw.of_waiting(rows).probabilities.tolist()
        listed = [
            {"id": row.request_id, "row": row.row, "time": row.time, "probability": chance}
            for row, chance in zip(rows, chances, strict=True)
        ]
        return JSONResponse({"model": name, "rows": listed})

    return Route("/v1/models/{model}/labels", rows_to_label)


def _missing(plans: Mapping[str, Plan], is_judged: Callable[[str], bool], name: str) -> str:
    """The reason for which there is no list of a model; empty if there is one."""
    if name not in plans:
        return f"there is no model {name[:80]!r}; there are {', '.join(plans)}"
    if not plans[name].label_horizon:
        return f"model {name} takes no labels: set models.{name}.labels"
    return "" if is_judged(name) else f"another judge judges {name}: ask that one"


def _refused(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": reason}, status, headers)
