from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Mirror:
    """A small HTTP server on the loopback: files by name, each of which can be made to misbehave."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.breaks_after: dict[str, int] = {}  # bytes of a response before the connection is closed
        self.knows_ranges = True
        self.requests: list[tuple[str, str | None]] = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name, span = request.path.lstrip("/"), request.headers.get("Range")
        self.requests.append((name, span))
        content = self.files.get(name)
        if content is None:
            request.send_error(404, "Not Found")
            return
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and self.knows_ranges else 0
        if start and start >= len(content):
            request.send_error(416, "Range Not Satisfiable")
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start:][: self.breaks_after.get(name, len(content))])

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    served = Mirror()
    yield served
    served.close()
