"""A stub of TagoIO's API: resolves serials, takes records, and tells what arrived.

It imports nothing of the project, so that a mistake about the wire is not made on both sides. Use it in a test as an
ASGI app (``StubDownstream().app``), or as a process, which prints its port in one line::

    python tests/support/downstream.py --port 0 --mode good

``GET /integration/network/resolve/{serial}/{authorization}`` and ``POST /data`` are the API. The rest is for whoever
watches: ``PUT /control`` changes how it behaves (:class:`StubDownstream` says what there is); ``GET /arrived`` counts,
``GET /arrived/ids`` gives the uplink ids with how often each came, ``GET /arrived/marks`` the values of the variable
``mark`` in the order in which they came first, each with the uplink ids that it came under, ``GET
/arrived/silence?after=&before=`` the longest time without a post between two moments of this machine's monotonic clock,
``GET /arrived/posts?limit=`` the newest posts in their order, ``DELETE /arrived`` forgets; ``GET /healthz``.
"""

import argparse
import asyncio
import re
import socket
import sys
import time
import uuid
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

RESOLVE = b"/integration/network/resolve/"
ROUTES = {b"/data": "data", b"/info": "info"}
BODY_LIMIT = 200_000
VALUE_LIMIT = 6_144
METADATA_LIMIT = 10_000
VARIABLE = re.compile(r"[^*?!<>.\-=$\s]{1,100}")
UUID_LENGTH = 36
HANG_POLL_SECONDS = 0.1
RESET = "test.reset"
"""The ASGI extension that breaks the connection of a request; only :class:`BreakableProtocol` has it."""

KEPT_POSTS = 10_000
"""Enough for any test that looks at posts; a load run sets 0 and keeps the counts alone."""


PAGE = b"<!doctype html><title>Sign in</title><p>Welcome to our network. Please sign in.</p>"
"""What a captive portal or a proxy answers in place of the API, with 200."""


class Mode(StrEnum):
    """How the API answers. Nothing is stored, except where it says so."""

    GOOD = "good"
    FLAKY = "flaky"
    """Every other call 503."""
    AWAY = "away"
    """503."""
    ERROR = "error"
    """500."""
    THROTTLED = "throttled"
    """429."""
    HANG = "hang"
    """No answer, as long as the mode lasts; the connection is broken then."""
    RESET = "reset"
    """The connection is broken in place of an answer."""
    LOST_ANSWER = "lost_answer"
    """Records are stored, and the connection is broken in place of the answer."""
    HTML = "html"
    """200 with a page that is not the API's."""


REFUSALS = {
    Mode.FLAKY: (503, "Service Unavailable"),
    Mode.AWAY: (503, "Service Unavailable"),
    Mode.ERROR: (500, "Internal Server Error"),
    Mode.THROTTLED: (429, "Too many requests"),
}
"""The status and the message of a mode that answers in the API's form."""


@dataclass(frozen=True, slots=True)
class ArrivedPost:
    """One accepted ``POST /data``; ``uplink_ids`` as ``Sluice-Uplinks`` named them, ``traceparent`` as W3C has it."""

    device_token: str
    records: list[dict[str, Any]]
    uplink_ids: Sequence[str]
    traceparent: str | None = None


class Arrived:
    """What was accepted: the counts always, the newest posts up to a bound, in their order."""

    def __init__(self, keep_posts: int) -> None:
        self.posts: deque[ArrivedPost] = deque(maxlen=keep_posts)
        self.uplinks: Counter[str] = Counter()
        self.marks: dict[str, list[str]] = {}
        """The uplink ids that each mark came under, in the order in which the marks came first."""
        self.moments: list[float] = []
        """When each post came, on this machine's monotonic clock."""
        self._totals: Counter[str] = Counter()

    def add(self, post: ArrivedPost) -> None:
        self.posts.append(post)
        self.uplinks.update(post.uplink_ids)
        self.moments.append(time.monotonic())
        self._totals["posts"] += 1
        self._totals["records"] += len(post.records)
        marks = _marks_of(post.records)
        # Uplinks without a mark would shift the ids: then the ids of a post cannot be told apart.
        uplink_ids = post.uplink_ids if len(post.uplink_ids) == len(marks) else [""] * len(marks)
        for mark, uplink_id in zip(marks, uplink_ids, strict=True):
            self.marks.setdefault(mark, []).append(uplink_id)
        # A parser decodes the first raw payload of a post and ignores the others.
        if sum(record["variable"] == "payload" for record in post.records) > 1:
            self._totals["boundary_violations"] += 1

    def counts(self) -> dict[str, int]:
        uplinks, distinct = self.uplinks.total(), len(self.uplinks)
        totals = {name: self._totals[name] for name in ("posts", "records", "boundary_violations")}
        return {**totals, "uplinks": uplinks, "distinct": distinct, "duplicates": uplinks - distinct}

    def longest_silence(self, after: float, before: float) -> float:
        """Give the longest time without a post between two moments, up to the last post of all."""
        first, end = bisect_right(self.moments, after), bisect_right(self.moments, before)
        is_over = end < len(self.moments)
        moments = [after, *self.moments[first:end], *([before] if is_over else [])]
        return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)

    def clear(self) -> None:
        self.posts.clear()
        self.uplinks.clear()
        self.marks.clear()
        self.moments.clear()
        self._totals.clear()


class StubDownstream:
    """The stub. ``app`` is the ASGI application, ``arrived`` what it took.

    ``network_tokens`` are those it accepts; none given: any. ``keep_posts`` bounds the posts that are kept. What may be
    changed at any time:

    ``mode``, and ``failing``, the routes that it and ``latency_ms`` apply to (``resolve``, ``data``, ``info``);
    ``retry_after``, the seconds that an answer of such a mode names, or None; ``latency_ms``, the wait before each
    answer; ``unknown``, patterns (``UNKNOWN*``) of serials that it does not know, ignoring case; ``refused_serials``,
    patterns of those whose device takes no data (400); ``poisoned_marks``, patterns of marks for which a whole body is
    refused (400); ``denied``, whether resolve answers 401 to everybody; ``generation``: with another one every device
    has another token, and the old ones are refused.
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
        self.failing: tuple[str, ...] = ("resolve", "data", "info")
        self.retry_after: int | None = None
        self.refused_serials: tuple[str, ...] = ()
        self.poisoned_marks: tuple[str, ...] = ()
        self.denied = False
        self.generation = 0
        self.resolves: Counter[str] = Counter()
        """How often each serial was asked for; answers of 503 do not count."""
        self.refused = 0
        """Posts that were answered 400."""
        self.probes = 0
        """How often somebody asked, without a token, whether it is there."""
        self._network_tokens = frozenset(network_tokens)
        self._calls = 0
        self._devices: dict[str, tuple[str, int]] = {}
        """The serial and the generation of each token that was given out."""
        self._observer = _create_observer(self)

    def control(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Change how it behaves, and give how it does now. Raises KeyError, TypeError and ValueError."""
        for name, value in wanted.items():
            setattr(self, name, CONTROLS[name](value))
        return {name: getattr(self, name) for name in CONTROLS}

    @property
    def app(self) -> ASGIApp:
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Plain ASGI: a router costs more than the rest, and Starlette's splits a serial that holds %2F.
        path: bytes = scope["raw_path"] if scope["type"] == "http" else b""
        if path not in ROUTES and not path.startswith(RESOLVE):
            await self._observer(scope, receive, send)
            return
        body = await _read_body(receive)
        if self.latency_ms and ROUTES.get(path, "resolve") in self.failing:
            await asyncio.sleep(self.latency_ms / 1000)
        if path == b"/info":
            self.probes += 1
        if await self._fails(ROUTES.get(path, "resolve"), scope, send):
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if path == b"/info":
            await _refuse(send, 401, "Authorization Denied")
        elif path != b"/data" and scope["method"] == "GET":
            await self._resolve(path.removeprefix(RESOLVE), headers, send)
        elif path == b"/data" and scope["method"] == "POST":
            await self._take(headers, body, _silent(scope) if self.mode is Mode.LOST_ANSWER else send)
        else:
            await _refuse(send, 405, "Method Not Allowed")

    async def _fails(self, route: str, scope: Scope, send: Send) -> bool:
        """Fail as the mode says; give whether it did."""
        mode = self.mode
        if route == "info" and mode is Mode.FLAKY:
            return False  # a probe after each failure would have every request meet the failing turn
        self._calls += 1
        # The first call fails, so that a test with a single call meets a failure too.
        is_well = mode in {Mode.GOOD, Mode.LOST_ANSWER} or (mode is Mode.FLAKY and self._calls % 2 == 0)
        if is_well or route not in self.failing:
            return False
        while mode is self.mode is Mode.HANG:  # noqa: ASYNC110 - a mode has no event
            await asyncio.sleep(HANG_POLL_SECONDS)
        if mode in {Mode.HANG, Mode.RESET}:
            _reset(scope)
        elif mode is Mode.HTML:
            await _send(send, 200, PAGE, b"text/html")
        else:
            await _refuse(send, *REFUSALS[mode], retry_after=self.retry_after)
        return True

    async def _resolve(self, segments: bytes, headers: dict[bytes, str], send: Send) -> None:
        network_token = headers.get(b"authorization") or headers.get(b"token") or ""
        if self.denied or not network_token or (self._network_tokens and network_token not in self._network_tokens):
            await _refuse(send, 401, "Authorization Denied")
            return
        # Split first, decode afterwards: a serial may hold an encoded slash.
        match [unquote_to_bytes(segment).decode(errors="replace") for segment in segments.split(b"/")]:
            case [serial, authorization] if serial and authorization:
                self.resolves[serial] += 1
                if _matches(serial, self.unknown):
                    await _refuse(send, 404, "Device Not Found")
                else:
                    token = token_of(network_token, authorization, serial, self.generation)
                    self._devices[token] = (serial, self.generation)
                    await _answer(send, 200, {"status": True, "result": token})
            case _:
                # The real API takes the serial alone and finds the device of some other tenant: always a mistake.
                await _refuse(send, 400, "The path must be /integration/network/resolve/{serial}/{authorization}")

    async def _take(self, headers: dict[bytes, str], body: bytes, send: Send) -> None:
        device_token = headers.get(b"device-token") or headers.get(b"token") or ""
        serial, generation = self._devices.get(device_token, ("", self.generation))
        if not _is_uuid(device_token) or generation != self.generation:
            await _refuse(send, 401, "Authorization Denied")
            return
        try:
            _require(not _matches(serial, self.refused_serials), "This device takes no data")
            records = check_records(body)
            for mark in _marks_of(records):
                _require(not _matches(mark, self.poisoned_marks), f"The mark {mark!r} is poison")
        except ValueError as error:
            self.refused += 1
            await _refuse(send, 400, str(error))
            return
        uplink_ids = [i for i in headers.get(b"sluice-uplinks", "").split(",") if i]
        self.arrived.add(ArrivedPost(device_token, records, uplink_ids, headers.get(b"traceparent")))
        await _answer(send, 202, {"status": True, "result": f"{len(records)} Data Added"})


class BreakableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with an ASGI extension that breaks the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {RESET: {"call": self.transport.abort}}


def _reset(scope: Scope) -> None:
    scope["extensions"][RESET]["call"]()


def _silent(scope: Scope) -> Send:
    """Give a way to answer that breaks the connection in place of it."""

    async def send(_: Any) -> None:
        _reset(scope)

    return send


def token_of(network_token: str, authorization: str, serial: str, generation: int = 0) -> str:
    """Give the device token of a serial: always the same, another one for every tenant and generation."""
    name = f"{network_token}\n{authorization}\n{serial}" + (f"\n{generation}" if generation else "")
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


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


def _marks_of(records: Iterable[dict[str, Any]]) -> list[str]:
    return [str(record["value"]) for record in records if record["variable"] == "mark"]


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text.upper(), pattern.upper()) for pattern in patterns)


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


async def _refuse(send: Send, status: int, message: str, *, retry_after: int | None = None) -> None:
    await _answer(send, status, {"status": False, "message": message}, retry_after=retry_after)


async def _answer(send: Send, status: int, document: dict[str, Any], *, retry_after: int | None = None) -> None:
    headers = [] if retry_after is None else [(b"retry-after", b"%d" % retry_after)]
    await _send(send, status, orjson.dumps(document), b"application/json", headers)


async def _send(
    send: Send, status: int, body: bytes, content_type: bytes, more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


CONTROLS: dict[str, Callable[[Any], Any]] = {
    "mode": Mode,
    "failing": tuple,
    "retry_after": lambda seconds: seconds,
    "latency_ms": float,
    "unknown": tuple,
    "refused_serials": tuple,
    "poisoned_marks": tuple,
    "denied": bool,
    "generation": int,
}
"""What ``PUT /control`` may set, and how each is read."""


def _give(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")


def _create_observer(stub: StubDownstream) -> Starlette:
    """Create the part for whoever watches: speed does not matter here."""

    async def healthz(_: Request) -> Response:
        return _give({"status": True})

    async def control(request: Request) -> Response:
        try:
            return _give(stub.control(orjson.loads(await request.body())))
        except (KeyError, ValueError, TypeError) as error:
            return _give({"status": False, "message": repr(error)}, 400)

    async def arrived(request: Request) -> Response:
        if request.method == "DELETE":
            stub.arrived.clear()
            stub.resolves.clear()
            stub.refused = 0
        return _give(
            {**stub.arrived.counts(), "resolves": stub.resolves.total(), "refused": stub.refused, "probes": stub.probes}
        )

    async def ids(_: Request) -> Response:
        return _give(stub.arrived.uplinks)

    async def marks(_: Request) -> Response:
        return _give(stub.arrived.marks)

    async def silence(request: Request) -> Response:
        after, before = (float(request.query_params[name]) for name in ("after", "before"))
        return _give({"seconds": stub.arrived.longest_silence(after, before)})

    async def posts(request: Request) -> Response:
        limit = int(request.query_params.get("limit", "100"))
        newest = list(stub.arrived.posts)[-limit:] if limit > 0 else []
        return _give([asdict(post) for post in newest])

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/control", control, methods=["PUT"]),
            Route("/arrived", arrived, methods=["GET", "DELETE"]),
            Route("/arrived/ids", ids),
            Route("/arrived/marks", marks),
            Route("/arrived/silence", silence),
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
    parser.add_argument("--tls-cert", help="certificate in PEM: HTTPS in place of HTTP")
    parser.add_argument("--tls-key")
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
    # Critical alone: a request whose connection was broken on purpose looks like a bug to uvicorn.
    config = uvicorn.Config(
        stub.app,
        http=BreakableProtocol,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        ssl_certfile=flags.tls_cert,
        ssl_keyfile=flags.tls_key,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
