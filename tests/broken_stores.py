"""Object stores that break: a file system, or a proxy before a server, that fails from the k-th request on."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REQUESTS = ("find", "ls", "info", "cat_file", "pipe_file", "rm_file")


class Breaking:
    """A file system whose k-th request fails, and all after it unless `once`. count: how many were made so far.

    at: k, from 1; 0 for none. after: the k-th request is done, and its answer lost.
    """

    def __init__(self, files: Any, at: int = 0, *, after: bool = False, once: bool = False) -> None:
        self.files, self.at, self.after, self.once = files, at, after, once
        self.count, self._lock = 0, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        work = getattr(self.files, name)
        if name not in REQUESTS:
            return work

        def request(*words: Any, **more: Any) -> Any:
            with self._lock:
                self.count += 1
                number = self.count
            if self.at and (number == self.at or (number > self.at and not self.once)):
                if self.after and number == self.at:
                    work(*words, **more)
                raise ConnectionResetError("the connection is broken")
            return work(*words, **more)

        return request


@contextmanager
def breaking_proxy(server: str) -> Iterator[Any]:
    """A proxy before "host:port". `proxy.at`: from which request on, counted from 1 in `proxy.count`, it breaks
    connections, the first of them in the middle of the answer; 0: none. `proxy.address`: its own."""
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    proxy.daemon_threads = True
    proxy.server, proxy.at, proxy.count, proxy.lock = server, 0, 0, threading.Lock()  # type: ignore[attr-defined]
    proxy.address = f"127.0.0.1:{proxy.server_address[1]}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # a connection for each request
    server: Any

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def forward(self) -> None:
        with self.server.lock:
            self.server.count += 1
            number, at = self.server.count, self.server.at
        if self.headers.get("Expect") == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if at and number > at:
            return
        connection = http.client.HTTPConnection(self.server.server, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, sent, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        broken = at and number == at
        if broken and not body:
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if broken else body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward
