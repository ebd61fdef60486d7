"""Stage 2: from a serial to the token of its device, asking the downstream as seldom as possible."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple, NewType, TypeAlias

from cachetools import TLRUCache
from pydantic import SecretStr

from common.directory.model import AuthorizationKey, Network
from common.envelope import Uplink
from common.reason import Reason
from common.serial import Serial
from workers.answers import AwayError, RejectedError, ThrottledError, TransientError, UnauthorizedError
from workers.mapping import MappedUplink
from workers.outcome import DeadLettered, PutBack, RetryLater
from workers.refusals import WAIT, Refusals
from workers.unexpected import note_unexpected

DeviceToken = NewType("DeviceToken", SecretStr)
"""The credential that the downstream gives for one device. A secret: it prints as asterisks."""

AskDownstream: TypeAlias = Callable[[Serial, AuthorizationKey, Network], Awaitable[DeviceToken]]
"""Resolves one serial over the wire; raises :class:`workers.answers.DownstreamError`."""


class ResolvedUplink(NamedTuple):
    """A mapped uplink whose device is known."""

    mapped: MappedUplink
    device_token: DeviceToken


UNKNOWN_STATUSES = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})
"""Whatever else refuses a resolve is not about the device."""

DOUBTED_AFTER_SECONDS = 5.0
"""So long a remembered "unknown" holds for an uplink that was tried before.

It was probably replayed because its device has been created since; a replay of many asks once per device all the same.
"""


@dataclass(frozen=True, slots=True)
class UnknownDevice:
    """The downstream's answer that it has no such device, remembered for a short while."""

    detail: str
    asked_at: float


_Question: TypeAlias = tuple[str, str, Serial]
"""Network token, authorization and serial; plain, because hashing a ``SecretStr`` costs more than a look."""

_Answer: TypeAlias = DeviceToken | UnknownDevice
Unresolved: TypeAlias = RetryLater | PutBack | DeadLettered


class HeldBackError(Exception):
    """Nothing was asked: the credentials that it takes were refused a moment ago."""


class Resolver:
    """Resolves serials with a bounded cache and one request per serial at a time.

    The cache is keyed by network token, authorization and serial: without the authorization one tenant would get the
    device of another, and a changed token is a new question. ``found_ttl`` and ``unknown_ttl`` are in seconds.
    """

    def __init__(
        self,
        ask: AskDownstream,
        *,
        cache_size: int,
        found_ttl: float,
        unknown_ttl: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._flights: dict[_Question, asyncio.Task[_Answer]] = {}
        self.refusals = Refusals(clock)
        """The keys whose uplinks are held back, because the downstream refuses their credentials."""
        self._cache: TLRUCache[_Question, _Answer] = TLRUCache(
            maxsize=cache_size,
            ttu=lambda _, answer, now: now + (unknown_ttl if isinstance(answer, UnknownDevice) else found_ttl),
            timer=clock,
        )

    async def resolve_all(self, mapped: Sequence[MappedUplink]) -> tuple[list[ResolvedUplink], list[Unresolved]]:
        """Resolve each uplink; those of one device ask once. What cannot be resolved stops no other."""
        remembered = [self._recall(uplink) for uplink in mapped]
        # A task for each uplink would cost more than looking at what is remembered, which is nearly always all of it.
        asked = [self.resolve(uplink) for uplink, answer in zip(mapped, remembered, strict=True) if answer is None]
        answers = iter(await asyncio.gather(*asked) if asked else ())
        results = [
            next(answers) if answer is None else _apply(answer, uplink)
            for uplink, answer in zip(mapped, remembered, strict=True)
        ]
        resolved = [result for result in results if isinstance(result, ResolvedUplink)]
        unresolved = [result for result in results if not isinstance(result, ResolvedUplink)]
        return resolved, unresolved

    async def resolve(self, mapped: MappedUplink) -> "ResolvedUplink | Unresolved":
        """Resolve one uplink, from the cache where it can be."""
        try:
            answer = await self._find(mapped)
        except Exception as error:  # noqa: BLE001 - a bug met in one uplink may not take its neighbours with it
            return _judge(mapped.uplink, error)
        return _apply(answer, mapped)

    def forget(self, mapped: MappedUplink, refused: DeviceToken) -> None:
        """Drop the token of this uplink's device, unless another one was resolved since it was refused."""
        question = _question_of(mapped)
        if self._cache.get(question) == refused:
            self._cache.pop(question, None)

    def _recall(self, mapped: MappedUplink) -> _Answer | None:
        try:
            answer = self._cache[_question_of(mapped)]
        except KeyError:  # `get` would look twice
            return None
        if isinstance(answer, UnknownDevice) and mapped.uplink.envelope.first_seen is not None:
            return answer if self._clock() < answer.asked_at + DOUBTED_AFTER_SECONDS else None
        return answer

    async def _find(self, mapped: MappedUplink) -> _Answer:
        answer = self._recall(mapped)
        if answer is not None:
            return answer
        question = _question_of(mapped)
        flight = self._flights.get(question)
        if flight is None:
            if self.refusals.hold(question[:2]):
                raise HeldBackError(f"not tried: the credentials of key {mapped.key.id!r} were refused a moment ago")
            # In a task of its own, so that a waiter who is cancelled does not end it for the others.
            flight = asyncio.create_task(self._fly(question, mapped))
            self._flights[question] = flight
            flight.add_done_callback(lambda done: self._land(question, done))
        return await asyncio.shield(flight)

    async def _fly(self, question: _Question, mapped: MappedUplink) -> _Answer:
        try:
            answer: _Answer = await self._ask(mapped.serial, mapped.key, mapped.network)
        except UnauthorizedError:
            self.refusals.add(question[:2], mapped.key.id)
            raise
        except RejectedError as error:
            if error.status not in UNKNOWN_STATUSES:
                raise
            answer = UnknownDevice(str(error), self._clock())
        self.refusals.lift(question[:2], mapped.key.id)
        self._cache[question] = answer
        return answer

    def _land(self, question: _Question, flight: asyncio.Task[_Answer]) -> None:
        del self._flights[question]
        if not flight.cancelled():
            flight.exception()  # every waiter may be gone, and then nobody else looks at it


def _apply(answer: _Answer, mapped: MappedUplink) -> "ResolvedUplink | DeadLettered":
    """Say what the answer to its question means for an uplink."""
    if isinstance(answer, UnknownDevice):
        detail = f"the downstream knows no device with serial {mapped.serial!r}: {answer.detail}"
        return DeadLettered(mapped.uplink, Reason.SERIAL_UNKNOWN, detail)
    return ResolvedUplink(mapped, answer)


def _judge(uplink: Uplink, error: Exception) -> Unresolved:
    """Say what an error on the way to a device token means for the uplink."""
    outcome: Unresolved
    match error:
        case HeldBackError():
            outcome = RetryLater(uplink, Reason.AUTHORIZATION_REFUSED, str(error), WAIT)
        case UnauthorizedError():  # a matter of the key or the network, not of the uplink
            outcome = RetryLater(uplink, Reason.AUTHORIZATION_REFUSED, f"resolve was refused: {error}")
        case RejectedError(reason=reason):
            outcome = DeadLettered(uplink, reason, f"resolve was refused: {error}")
        case AwayError(tried=tried):
            outcome = PutBack(uplink, Reason.RESOLVER_UNAVAILABLE, str(error), counts=tried)
        case ThrottledError(retry_after=wait):
            outcome = RetryLater(uplink, Reason.DOWNSTREAM_THROTTLED, f"resolve failed: {error}", wait, counts=False)
        case TransientError(retry_after=wait):
            outcome = RetryLater(uplink, Reason.RESOLVER_UNAVAILABLE, f"resolve failed: {error}", wait)
        case _:
            outcome = note_unexpected(uplink, error)
    return outcome


def _question_of(mapped: MappedUplink) -> _Question:
    return (mapped.network.token.get_secret_value(), mapped.key.token.get_secret_value(), mapped.serial)
