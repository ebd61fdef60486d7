"""A downstream that quotes what it was asked in whatever it answers; imports nothing of Sluice."""

import json
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import unquote

DEVICE_TOKEN = "d0d0cafe-5ecre7-0f-a-dev1ce"


class QuotingDownstream:
    """Serves on a port of its own inside ``with``. ``quoted`` counts the requests that were.

    It resolves serials that begin with ``GOOD`` or ``POST``, and takes the data of the former. Everything else is
    answered with one of ``statuses`` after the other, the request in the message, behind paddings of many lengths: a
    message that is cut off may be cut anywhere.
    """

    def __init__(self) -> None:
        self.quoted = 0
        self.statuses: Sequence[int] = (400,)
        downstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline:
                    self.close_connection = True  # else the thread asks for ever, and the machine with it
                elif self.parse_request():
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    self._answer(*downstream._choose_answer(self.requestline, str(self.headers), body.decode()))

            def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status, "quoted")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):  # who asked has enough of waiting
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _choose_answer(self, line: str, headers: str, body: str) -> tuple[int, bytes, dict[str, str]]:
        if "/resolve/GOOD" in line or "/resolve/POST" in line:
            return 200, _encode({"status": True, "result": DEVICE_TOKEN}), {}
        if line.startswith("GET /info "):
            return 200, _encode({"status": True, "result": {}}), {}
        if "GOOD" in body:
            return 202, _encode({"status": True, "result": "1 Data Added"}), {}
        return self._quote(f"{line}\n{unquote(line)}\n{headers}".replace("\r", ""))

    def _quote(self, request: str) -> tuple[int, bytes, dict[str, str]]:
        turn = self.quoted
        self.quoted += 1
        status = self.statuses[turn % len(self.statuses)]
        text = "." * (turn * 7 % 500) + request
        headers = {"Location": f"{self.url}/{request.split()[1]}"} if status == 301 else {}
        return status, _form(turn, text), headers


def _form(turn: int, text: str) -> bytes:
    if turn % 5 == 4:
        return f"<html>{text}</html>".encode()
    return _encode({"status": turn % 7 == 6, "message": text, "result": text})


def _encode(document: object) -> bytes:
    return json.dumps(document).encode()
