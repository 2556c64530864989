"""The review on the port of a judge: its page, the routes of reviewers and operators, and nothing else of the API."""

from collections.abc import Callable

from tightrope.service.api.app import add_exception_handlers, add_review, new_app
from tightrope.service.api.front_page.routes import shared_files
from tightrope.service.api.incidents.library import IncidentLibrary
from tightrope.service.api.review.desk import ReviewDesk
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import TooLargeError
from tightrope.service.transport.http.asgi import App, Receive, Scope, Send
from tightrope.service.transport.http.codec import refuse

MOST_BODY_BYTES = 4_096
"""Bytes of a request: an answer has a hundred."""


def create_judge_app(
    named: Callable[[str], str], desk: ReviewDesk, tokens: AccessTokens, incidents: IncidentLibrary
) -> App:
    """Build the application. ``named`` returns the name of a model that is judged by this configuration, ``tokens`` are
    those of operators, ``incidents`` those that this judge records.
    """
    app = new_app()
    add_review(app, named, desk, tokens, incidents)
    app.include_router(shared_files())
    add_exception_handlers(app)
    return bounded(app)


def bounded(app: App) -> App:
    """An application in front of another one, which reads each body before it: so its size is bounded here."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) <= MOST_BODY_BYTES:
            message = await receive()
            if message["type"] != "http.request":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > MOST_BODY_BYTES:
            await _refuse(send)
            return
        messages = [{"type": "http.request", "body": body}]

        async def replay() -> Scope:
            return messages.pop() if messages else await receive()

        await app(scope, replay, send)

    return call


async def _refuse(send: Send) -> None:
    reply = refuse(TooLargeError(f"the body is larger than {MOST_BODY_BYTES} bytes"))
    headers = [*reply.headers, (b"connection", b"close")]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
