"""A stub of TagoIO's API: resolves serials, takes records, and tells what arrived.

It imports nothing of the project, so that a mistake about the wire is not made on both sides. Use it in a test as an
ASGI app (``StubDownstream().app``), or as a process, which prints its port in one line::

    python tests/support/downstream.py --port 0 --mode good

``GET /integration/network/resolve/{serial}/{authorization}`` and ``POST /data`` are the API. The rest is for whoever
watches: ``PUT /control`` changes the mode, the latency and the unknown serials; ``GET /arrived`` counts,
``GET /arrived/ids`` gives the uplink ids with how often each came, ``GET /arrived/posts?limit=`` the newest posts in
their order, ``DELETE /arrived`` forgets; ``GET /healthz``.
"""

import argparse
import asyncio
import re
import socket
import sys
import uuid
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

RESOLVE = b"/integration/network/resolve/"
BODY_LIMIT = 200_000
VALUE_LIMIT = 6_144
METADATA_LIMIT = 10_000
VARIABLE = re.compile(r"[^*?!<>.\-=$\s]{1,100}")
UUID_LENGTH = 36
KEPT_POSTS = 10_000
"""Enough for any test that looks at posts; a load run sets 0 and keeps the counts alone."""


class Mode(StrEnum):
    """How the API is: well, answering every other call with 503, or answering all of them with 503."""

    GOOD = "good"
    FLAKY = "flaky"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class ArrivedPost:
    """One accepted ``POST /data``; ``uplink_ids`` as ``Sluice-Uplinks`` named them."""

    device_token: str
    records: list[dict[str, Any]]
    uplink_ids: Sequence[str]


class Arrived:
    """What was accepted: the counts always, the newest posts up to a bound, in their order."""

    def __init__(self, keep_posts: int) -> None:
        self.posts: deque[ArrivedPost] = deque(maxlen=keep_posts)
        self.uplinks: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()

    def add(self, post: ArrivedPost) -> None:
        self.posts.append(post)
        self.uplinks.update(post.uplink_ids)
        self._totals["posts"] += 1
        self._totals["records"] += len(post.records)
        # A parser decodes the first raw payload of a post and ignores the others.
        if sum(record["variable"] == "payload" for record in post.records) > 1:
            self._totals["boundary_violations"] += 1

    def counts(self) -> dict[str, int]:
        uplinks, distinct = self.uplinks.total(), len(self.uplinks)
        totals = {name: self._totals[name] for name in ("posts", "records", "boundary_violations")}
        return {**totals, "uplinks": uplinks, "distinct": distinct, "duplicates": uplinks - distinct}

    def clear(self) -> None:
        self.posts.clear()
        self.uplinks.clear()
        self._totals.clear()


class StubDownstream:
    """The stub. ``app`` is the ASGI application, ``arrived`` what it took.

    ``network_tokens`` are those it accepts; none given: any. ``unknown`` are patterns (``UNKNOWN*``) of serials that
    it does not know, ignoring case. ``keep_posts`` bounds the posts that are kept. ``mode``, ``latency_ms`` and
    ``unknown`` may be changed at any time.
    """

    def __init__(
        self,
        *,
        network_tokens: Collection[str] = (),
        unknown: Collection[str] = ("UNKNOWN*",),
        mode: Mode = Mode.GOOD,
        latency_ms: float = 0,
        keep_posts: int = KEPT_POSTS,
    ) -> None:
        self.arrived = Arrived(keep_posts)
        self.mode = mode
        self.latency_ms = latency_ms
        self.unknown = tuple(unknown)
        self.resolves: Counter[str] = Counter()
        """How often each serial was asked for; answers of 503 do not count."""
        self.refused = 0
        """Posts that were answered 400."""
        self._network_tokens = frozenset(network_tokens)
        self._calls = 0
        self._observer = _create_observer(self)

    @property
    def app(self) -> ASGIApp:
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Plain ASGI: a router costs more than the rest, and Starlette's splits a serial that holds %2F.
        path: bytes = scope["raw_path"] if scope["type"] == "http" else b""
        if path != b"/data" and not path.startswith(RESOLVE):
            await self._observer(scope, receive, send)
            return
        body = await _read_body(receive)
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if self._is_failing():
            await _refuse(send, 503, "Service Unavailable")
        elif path != b"/data" and scope["method"] == "GET":
            await self._resolve(path.removeprefix(RESOLVE), headers, send)
        elif path == b"/data" and scope["method"] == "POST":
            await self._take(headers, body, send)
        else:
            await _refuse(send, 405, "Method Not Allowed")

    def _is_failing(self) -> bool:
        self._calls += 1
        match self.mode:
            case Mode.GOOD:
                return False
            case Mode.AWAY:
                return True
            case Mode.FLAKY:
                # The first call fails, so that a test with a single call meets a failure too.
                return self._calls % 2 == 1

    async def _resolve(self, segments: bytes, headers: dict[bytes, str], send: Send) -> None:
        network_token = headers.get(b"authorization") or headers.get(b"token") or ""
        if not network_token or (self._network_tokens and network_token not in self._network_tokens):
            await _refuse(send, 401, "Authorization Denied")
            return
        # Split first, decode afterwards: a serial may hold an encoded slash.
        match [unquote_to_bytes(segment).decode(errors="replace") for segment in segments.split(b"/")]:
            case [serial, authorization] if serial and authorization:
                self.resolves[serial] += 1
                if any(fnmatchcase(serial.upper(), pattern.upper()) for pattern in self.unknown):
                    await _refuse(send, 404, "Device Not Found")
                else:
                    await _answer(send, 200, {"status": True, "result": token_of(network_token, authorization, serial)})
            case _:
                # The real API takes the serial alone and finds the device of some other tenant: always a mistake.
                await _refuse(send, 400, "The path must be /integration/network/resolve/{serial}/{authorization}")

    async def _take(self, headers: dict[bytes, str], body: bytes, send: Send) -> None:
        device_token = headers.get(b"device-token") or headers.get(b"token") or ""
        if not _is_uuid(device_token):
            await _refuse(send, 401, "Authorization Denied")
            return
        try:
            records = check_records(body)
        except ValueError as error:
            self.refused += 1
            await _refuse(send, 400, str(error))
            return
        uplink_ids = [i for i in headers.get(b"sluice-uplinks", "").split(",") if i]
        self.arrived.add(ArrivedPost(device_token, records, uplink_ids))
        await _answer(send, 202, {"status": True, "result": f"{len(records)} Data Added"})


def token_of(network_token: str, authorization: str, serial: str) -> str:
    """Give the device token of a serial: always the same, another one for every tenant."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{network_token}\n{authorization}\n{serial}"))


def check_records(body: bytes) -> list[dict[str, Any]]:
    """Read the body of ``POST /data``; ValueError for the first record that TagoIO would not take."""
    _require(len(body) <= BODY_LIMIT, f"The body must not be larger than {BODY_LIMIT} bytes")
    records = orjson.loads(body)
    _require(records and isinstance(records, list), "The body must be an array of records")
    for record in records:
        _require(isinstance(record, dict), "A record must be an object")
        _check_record(record)
    return cast("list[dict[str, Any]]", records)


def _check_record(record: dict[str, Any]) -> None:
    variable, value = record.get("variable"), record.get("value", "")
    is_named = isinstance(variable, str) and VARIABLE.fullmatch(variable) and variable == variable.lower()
    _require(is_named, f"The variable {variable!r} is invalid")
    # A boolean is an int.
    _require(isinstance(value, str | int | float), f"The value of {variable} must be a string, a number or a boolean")
    fits = not isinstance(value, str) or len(value.encode()) <= VALUE_LIMIT
    _require(fits, f"The value of {variable} is longer than {VALUE_LIMIT} bytes")
    for name, limit in (("unit", 25), ("group", 100), ("time", 40)):
        text = record.get(name, "")
        fits = isinstance(text, str) and len(text) <= limit
        _require(fits, f"The {name} of {variable} must be a string of at most {limit} characters")
    metadata, location = record.get("metadata", {}), record.get("location", {"lat": 0, "lng": 0})
    fits = isinstance(metadata, dict) and len(orjson.dumps(metadata)) <= METADATA_LIMIT
    _require(fits, f"The metadata of {variable} must be an object of at most {METADATA_LIMIT} bytes")
    is_place = isinstance(location, dict) and all(isinstance(location.get(k), int | float) for k in ("lat", "lng"))
    _require(is_place, f"The location of {variable} must hold lat and lng")


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _is_uuid(text: str) -> bool:
    try:
        return len(text) == UUID_LENGTH and bool(uuid.UUID(text))
    except ValueError:
        return False


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _refuse(send: Send, status: int, message: str) -> None:
    await _answer(send, status, {"status": False, "message": message})


async def _answer(send: Send, status: int, document: dict[str, Any]) -> None:
    body = orjson.dumps(document)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _create_observer(stub: StubDownstream) -> Starlette:
    """Create the part for whoever watches: speed does not matter here."""

    def answer(document: Any) -> Response:
        return Response(orjson.dumps(document), media_type="application/json")

    async def healthz(_: Request) -> Response:
        return answer({"status": True})

    async def control(request: Request) -> Response:
        wanted = orjson.loads(await request.body())
        stub.mode = Mode(wanted.get("mode", stub.mode))
        stub.latency_ms = float(wanted.get("latency_ms", stub.latency_ms))
        stub.unknown = tuple(wanted.get("unknown", stub.unknown))
        return answer({"mode": stub.mode, "latency_ms": stub.latency_ms, "unknown": stub.unknown})

    async def arrived(request: Request) -> Response:
        if request.method == "DELETE":
            stub.arrived.clear()
            stub.resolves.clear()
            stub.refused = 0
        return answer({**stub.arrived.counts(), "resolves": stub.resolves.total(), "refused": stub.refused})

    async def ids(_: Request) -> Response:
        return answer(stub.arrived.uplinks)

    async def posts(request: Request) -> Response:
        limit = int(request.query_params.get("limit", "100"))
        newest = list(stub.arrived.posts)[-limit:] if limit > 0 else []
        return answer([asdict(post) for post in newest])

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/control", control, methods=["PUT"]),
            Route("/arrived", arrived, methods=["GET", "DELETE"]),
            Route("/arrived/ids", ids),
            Route("/arrived/posts", posts),
        ]
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="A stub of TagoIO's API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081, help="0: any free one")
    parser.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.GOOD)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--network-token", action="append", default=[], help="accepted one; none given: any")
    parser.add_argument("--unknown", default="UNKNOWN*", help="patterns of unknown serials, with commas")
    parser.add_argument("--keep-posts", type=int, default=KEPT_POSTS, help="0: counts alone, for load")
    flags = parser.parse_args()
    stub = StubDownstream(
        network_tokens=flags.network_token,
        unknown=flags.unknown.split(","),
        mode=flags.mode,
        latency_ms=flags.latency_ms,
        keep_posts=flags.keep_posts,
    )
    listener = socket.create_server((flags.host, flags.port))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(stub.app, log_level="warning", access_log=False, lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
