"""What Sluice asks of the downstream: resolve a serial, post data for one device or many, say that it is there."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from opentelemetry.trace import SpanKind
from pydantic import SecretStr

from common import metrics
from common.directory.model import AuthorizationKey, Network
from common.directory.source import DirectorySource
from common.serial import Serial
from common.tracing import start_span, write_context
from workers.answers import (
    Answer,
    AwayError,
    DownstreamError,
    RejectedError,
    Statement,
    ThrottledError,
    TransientError,
    parse_answer,
    read_statement,
)
from workers.breaker import Breaker
from workers.bulk import Bulk, Said
from workers.governor import Governor
from workers.grouping import Post
from workers.http_client import HttpClient
from workers.resolver import DeviceToken
from workers.retrying import BlipRetrying

ANSWER_BYTES = 100_000
"""An answer of the API has some hundred bytes."""

BULK_ANSWER_BYTES = 1_000_000
"""An answer to many posts has as much for each of them."""

BULK_HEADER = "Sluice-Bulk"
"""Names the path that takes many posts at once; only Sluice's registry sends it."""

TOKEN = re.compile(r"[!-~]{1,500}")
"""What may be sent as a header: a token with a line break would end it and begin another."""


_SECONDS = {route: metrics.DOWNSTREAM_SECONDS.labels(route) for route in ("probe", "resolve", "data", "bulk")}


class Receipt(NamedTuple):
    """The downstream has the records of a post, and said so."""

    answer: Any


def build_resolve_path(serial: Serial, authorization: str) -> str:
    """Give the path that asks for the device of a serial; the authorization in it is a secret."""
    return f"/integration/network/resolve/{quote(serial, safe='')}/{quote(authorization, safe='')}"


class Downstream:
    """TagoIO's cloud, or whatever speaks its API, over one client.

    ``in_flight`` bounds the requests that are open at a time, and ``blip_seconds`` is how long one that fails is
    repeated. All methods raise :class:`workers.answers.DownstreamError`.
    """

    def __init__(
        self,
        client: HttpClient,
        directory: DirectorySource,
        governor: Governor,
        *,
        in_flight: int,
        blip_seconds: float,
    ) -> None:
        self._client = client
        self._directory = directory
        self._governor = governor
        self._slots = asyncio.Semaphore(in_flight)
        self.breaker = Breaker(self.probe)
        """Whether the downstream is there as a whole."""
        self._blips = BlipRetrying(blip_seconds, self.breaker)
        self._bulk = Bulk(self._send_bulk)
        self._bulk_path: str | None = None

    async def probe(self) -> None:
        """Ask whether the downstream is there, with a request that concerns nobody and needs no credentials.

        An answer that refuses it is one. So is 404 from a server that has not this route of the API.
        """
        request = _Request(route="probe", method="GET", path="/info", headers={})
        answer = await self._fetch(request)  # not in one of the slots: what hangs may have them all
        if answer.status == HTTPStatus.NOT_FOUND:
            return
        with contextlib.suppress(RejectedError, ThrottledError):
            read_statement(parse_answer(answer))

    async def resolve(self, serial: Serial, key: AuthorizationKey, network: Network) -> DeviceToken:
        """Ask for the device token of a serial, with the network's token and the sender's authorization."""
        authorization, network_token = key.token.get_secret_value(), network.token.get_secret_value()
        request = _Request(
            route="resolve",
            method="GET",
            path=build_resolve_path(serial, authorization),
            headers={"Authorization": network_token},
        )
        concern = _Concern(key.profile, serial, (authorization, quote(authorization, safe=""), network_token))
        await self._governor.wait_unpaused(key.profile)
        result = await self._blips.call(lambda: self._ask(request, concern), about=serial)
        if not isinstance(result, str) or not TOKEN.fullmatch(result):
            raise TransientError("the answer to resolve holds no device token")
        return DeviceToken(SecretStr(result))

    async def post(
        self,
        post: Post,
        *,
        waiting: int = 1,
        until: float | None = None,
        on_failure: Callable[[DownstreamError], None] = lambda _: None,
    ) -> Receipt:
        """Post the records of one device at its profile's turn.

        ``waiting`` is how many uplinks wait with it, ``until`` the event loop's time at which it is too late to begin.
        ``on_failure`` hears of every try that came to nothing, those included that are repeated in place.
        """
        concern = _concern_of(post)

        async def send() -> Any:
            await self._governor.turn(post.profile, waiting, until=until)
            try:
                return await self._ask(_create_data_request(post), concern)
            except AwayError:  # nothing was tried
                raise
            except DownstreamError as error:
                on_failure(error)
                raise

        with start_span("post uplinks"):
            return Receipt(await self._blips.call(send, about=concern.about))

    async def post_together(self, posts: Sequence[Post]) -> Sequence[Receipt | RejectedError | ThrottledError | None]:
        """Post for many devices of one profile at once, where the downstream takes that and no turn has to be awaited.

        Says what became of each post, and raises nothing; None: nothing yet, post it by itself. When many posts came to
        nothing together, one of them may be why.
        """
        if self._bulk_path is None or self.breaker.is_open or not self._governor.is_free(posts[0].profile):
            return [None] * len(posts)
        with start_span("post uplinks"):
            said = await self._bulk.post(posts)
        return [self._conclude_one(post, to_it) for post, to_it in zip(posts, said, strict=True)]

    def _conclude_one(self, post: Post, said: Said) -> Receipt | RejectedError | ThrottledError | None:
        if isinstance(said, Statement):
            try:
                return Receipt(self._conclude(_concern_of(post), said))
            except (RejectedError, ThrottledError) as error:
                return error
            except TransientError:
                return None
        if isinstance(said, ThrottledError):
            self._governor.pause(post.profile, said.retry_after)
            return copy(said)
        if not isinstance(said, AwayError):
            self.breaker.suspect()  # the request failed as a whole, which is about no device
        return None

    async def _ask(self, request: "_Request", concern: "_Concern") -> Any:
        """Send a request in one of the slots, and :meth:`_conclude` from its answer."""
        try:
            async with self._slots, self.breaker.admission():
                statement = parse_answer(await self._fetch(request))
        except DownstreamError as error:
            self._note_error(concern, error)
            raise
        return self._conclude(concern, statement)

    def _conclude(self, concern: "_Concern", statement: Statement) -> Any:
        """Give the result of an answer, or raise what it means, and tell breaker and governor what that says."""
        try:
            result = read_statement(statement)
        except DownstreamError as error:
            error.mask(concern.secrets)
            self._note_error(concern, error)
            raise
        self.breaker.note_success()
        return result

    def _note_error(self, concern: "_Concern", error: DownstreamError) -> None:
        match error:
            case AwayError():
                pass
            case ThrottledError(retry_after=wait):
                self._governor.pause(concern.profile, wait)
            case TransientError():
                self.breaker.note_failure(concern.about)
            case _:  # it was understood, and refused
                self.breaker.note_success()

    async def _send_bulk(self, body: bytes) -> Answer:
        path = self._bulk_path
        if path is None:
            raise TransientError("the downstream takes it no longer")
        request = _Request(
            route="bulk",
            method="POST",
            path=path,
            headers={"Content-Type": "application/json"},
            body=body,
            answer_bytes=BULK_ANSWER_BYTES,
        )
        async with self.breaker.admission():
            answer = await self._fetch(request)
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            self._bulk_path = None
        return answer

    async def _fetch(self, request: "_Request") -> Answer:
        url = self._directory.current.downstream.url + request.path
        try:
            with (
                _SECONDS[request.route].time(),
                start_span(f"{request.method} {request.route}", kind=SpanKind.CLIENT),
            ):
                headers = {**request.headers, **write_context()}
                answer = await self._client.exchange(
                    request.method, url, headers, request.body, most_bytes=request.answer_bytes
                )
        except TransientError:
            raise
        except TimeoutError:
            raise TransientError("no whole answer in time (SLUICE_DOWNSTREAM_TIMEOUT)") from None
        except Exception as error:  # noqa: BLE001 - see below
            # Whatever a server or a network can do to a client says nothing about the uplink. The error's own text may
            # hold the URL, and the resolve URL holds a key.
            raise TransientError(type(error).__name__) from None
        self._note_bulk(answer.headers)
        return answer

    def _note_bulk(self, headers: Mapping[str, str]) -> None:
        """Learn from any answer that the downstream takes many posts at once."""
        path = headers.get(BULK_HEADER)
        if path and path.startswith("/"):
            self._bulk_path = path


def _create_data_request(post: Post) -> "_Request":
    headers = {
        "Device-Token": post.device_token.get_secret_value(),
        "Content-Type": "application/json",
        "Sluice-Uplinks": ",".join([resolved.mapped.uplink.id for resolved in post.uplinks]),
    }
    return _Request(route="data", method="POST", path="/data", headers=headers, body=post.body)


class _Concern(NamedTuple):
    """Whom a request is about: ``profile`` is whose limit it counts against, ``about`` tells one device from another.

    ``secrets`` must not be repeated from the answer: a server may quote what it was asked.
    """

    profile: str
    about: str
    secrets: tuple[str, ...]


def _concern_of(post: Post) -> _Concern:
    device_token = post.device_token.get_secret_value()
    return _Concern(post.profile, device_token, (device_token,))


@dataclass(slots=True)
class _Request:
    route: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    answer_bytes: int = ANSWER_BYTES
