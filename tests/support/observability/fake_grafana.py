"""A fake Grafana 13, written after its documentation; no real one can be installed here.

It keeps folders, data sources, dashboards and annotations, and requires a token. It answers 404, 409, 412 and 400 as
Grafana does, refuses data sources by number, and answers some calls without a body, as proxies do.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

TOKEN = "a-service-account"

Answer = tuple[int, Any]


class Grafana(ThreadingHTTPServer):
    """The fake server: its content and all calls. While ``broken`` is set it gives that answer instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.boards: dict[str, dict[str, Any]] = {}
        self.marks: dict[int, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.broken: Answer | None = None
        self.rival = False

    @property
    def address(self) -> str:
        """The address, with a path as behind a proxy."""
        return f"http://127.0.0.1:{self.server_address[1]}/grafana"

    def answer(self, verb: str, path: str, body: Any) -> Answer:  # noqa: ANN401 - JSON
        """Answer one call."""
        place, _, query = path.partition("?")
        kind, _, rest = place.removeprefix("/").partition("/")
        if kind == "health":
            return 200, {"database": "ok"}
        if kind in {"folders", "datasources"}:
            return self._keep(verb, kind, rest, body)
        if kind == "dashboards":
            return self._board(verb, rest, body)
        if kind == "search":
            (tag,) = re.findall(r"tag=(\w+)", query)
            return 200, [{"uid": uid} for uid, board in self.boards.items() if tag in board["dashboard"]["tags"]]
        return self._mark(verb, rest, body) if verb != "GET" else (200, self._marks(parse_qs(query)))

    def _keep(self, verb: str, kind: str, rest: str, body: Any) -> Answer:  # noqa: ANN401 - as above
        held = self.folders if kind == "folders" else self.sources
        if kind == "datasources" and rest and not rest.startswith("uid/"):
            return 403, {"message": "data sources by number are off: datasourceLegacyIdApi"}
        uid = rest.removeprefix("uid/")
        if verb == "POST" and (body["uid"] in held or self.rival):
            held[body["uid"]] = body
            return (412 if kind == "folders" else 409), {"message": "exists already"}
        if verb != "POST" and uid not in held:
            return 404, {"message": "not found"}
        if verb != "GET":
            held[uid or body["uid"]] = body
        return 200, held[uid or body["uid"]]

    def _board(self, verb: str, rest: str, body: Any) -> Answer:  # noqa: ANN401 - as above
        if verb == "DELETE":
            self.boards.pop(rest.removeprefix("uid/"))
            return 200, None
        if body["folderUid"] not in self.folders:
            return 400, {"message": "folder not found"}
        uid = body["dashboard"]["uid"]
        if uid in self.boards and not body["overwrite"]:
            return 412, {"message": "version mismatch"}
        self.boards[uid] = body
        return 200, {"uid": uid, "status": "success"}

    def _marks(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        (begin,), (end,) = query["from"], query["to"]
        return [
            {**mark, "id": number}
            for number, mark in self.marks.items()
            if set(query["tags"]) <= set(mark["tags"]) and int(begin) <= mark["time"] <= int(end)
        ]

    def _mark(self, verb: str, rest: str, body: Any) -> Answer:  # noqa: ANN401 - as above
        if verb == "POST":
            self.marks[len(self.marks) + 1] = body
            return 200, {"id": len(self.marks), "message": "Annotation added"}
        if int(rest) not in self.marks:
            return 404, {"message": "Annotation not found"}
        self.marks[int(rest)] |= body
        return 200, None


class _Handler(BaseHTTPRequestHandler):
    server: Grafana

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = self.path.removeprefix("/grafana/api")
        self.server.calls.append((self.command, path))
        if self.server.broken is not None:
            status, content = self.server.broken
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, content = 401, {"message": "Invalid API key"}
        else:
            status, content = self.server.answer(self.command, path, body)
        content = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815 - the base class looks for these names

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def grafana() -> Iterator[Grafana]:
    """Run a fake Grafana on a free port until the block ends."""
    with Grafana() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
