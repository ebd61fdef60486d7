"""Stage 4: each post to the downstream, and what its answer means for its uplinks."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from common.envelope import Uplink
from common.reason import Reason
from workers.answers import (
    AwayError,
    DownstreamError,
    RejectedError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
)
from workers.downstream import Downstream
from workers.events import NOBODY_HEARS, WorkerEvents
from workers.grouping import Post, split_post, with_token
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater
from workers.resolver import ResolvedUplink, Resolver
from workers.unexpected import note_unexpected

HOLD_SECONDS = 600.0
"""How long the posts of one request may take before the rest goes back to the queue: a third of the time after which
RabbitMQ takes an unacked delivery for lost."""


class Posting:
    """Posts what grouping made: devices side by side, the posts of one device one after another."""

    def __init__(self, downstream: Downstream, resolver: Resolver, events: WorkerEvents = NOBODY_HEARS) -> None:
        self._downstream = downstream
        self._resolver = resolver
        self._events = events
        self._is_stopping = False

    def stop(self) -> None:
        """Begin no further post: what is under way ends, and the rest goes back to the queue untried."""
        self._is_stopping = True

    async def post_all(self, posts: Sequence[Post]) -> list[Outcome]:
        """Give an outcome for each uplink of the posts."""
        until = asyncio.get_running_loop().time() + HOLD_SECONDS
        by_device: dict[str, deque[Post]] = {}
        for post in posts:
            by_device.setdefault(post.device_token.get_secret_value(), deque()).append(post)
        posting = [asyncio.create_task(self._post_in_order(remaining, until)) for remaining in by_device.values()]
        try:  # as `gather` would, at less than half of its cost
            return [outcome for device in posting for outcome in await device]
        finally:
            for device in posting:
                device.cancel()

    async def _post_in_order(self, remaining: deque[Post], until: float) -> list[Outcome]:
        """Post for one device until nothing remains, or until the downstream cannot take it now."""
        outcomes: list[Outcome] = []
        has_fresh_token = False
        now = asyncio.get_running_loop().time
        while remaining:
            began = now()
            if self._is_stopping or began > until:
                detail = "not tried: the worker had no more time for this request"
                return [*outcomes, *_leave_untried(remaining, Reason.DOWNSTREAM_UNAVAILABLE, detail)]
            post = remaining.popleft()
            try:
                answer = await self._downstream.post(
                    post,
                    waiting=len(post.uplinks) + len(remaining),
                    until=until,
                    on_failure=partial(self._note_failure, post, began),
                )
            except UnauthorizedError as error:
                if has_fresh_token:
                    outcomes.extend(_dead_letter(post, error))
                else:
                    has_fresh_token = True
                    unresolved, remaining = await self._renew_token(post, remaining)
                    outcomes.extend(unresolved)
            except RejectedError as error:
                if len(post.uplinks) > 1:  # one bad record has the whole body refused: find it, deliver the others
                    remaining.extendleft(reversed(split_post(post)))
                else:
                    outcomes.extend(_dead_letter(post, error))
            except TransientError as error:
                return [*outcomes, *_give_up(post, remaining, error)]
            except Exception as error:  # noqa: BLE001 - a bug met in one post may not take the others with it
                outcomes.extend(note_unexpected(uplink, error) for uplink in _uplinks_of([post]))
            else:
                self._events.posted(post, answer, now() - began)
                outcomes.extend([Delivered(resolved.mapped.uplink) for resolved in post.uplinks])
        return outcomes

    def _note_failure(self, post: Post, began: float, error: DownstreamError) -> None:
        self._events.post_failed(post, error, asyncio.get_running_loop().time() - began)

    async def _renew_token(self, refused: Post, remaining: deque[Post]) -> tuple[list[Outcome], deque[Post]]:
        """Ask once more for the device whose remembered token was refused.

        Gives all posts that remain with the fresh token, or the resolver's outcome for each uplink of all of them.
        """
        mapped = refused.uplinks[0].mapped
        self._resolver.forget(mapped, refused.device_token)
        afresh = await self._resolver.resolve(mapped)
        if isinstance(afresh, ResolvedUplink):
            return [], deque(with_token(post, afresh.device_token) for post in [refused, *remaining])
        untried = afresh if isinstance(afresh, DeadLettered) else replace(afresh, counts=False)
        return [*_spread(afresh, [refused]), *_spread(untried, remaining)], deque()


def _uplinks_of(posts: Iterable[Post]) -> Iterator[Uplink]:
    return (resolved.mapped.uplink for post in posts for resolved in post.uplinks)


def _spread(outcome: Outcome, posts: Iterable[Post]) -> list[Outcome]:
    """Give every uplink of the posts the same outcome."""
    return [replace(outcome, uplink=uplink) for uplink in _uplinks_of(posts)]


def _dead_letter(refused: Post, error: RejectedError) -> list[Outcome]:
    return [DeadLettered(uplink, error.reason, str(error)) for uplink in _uplinks_of([refused])]


def _give_up(failed: Post, remaining: Iterable[Post], error: TransientError) -> list[Outcome]:
    """Nothing more for this device now: what failed is tried again later, and what comes after it as well."""
    if isinstance(error, AwayError):
        return [*_put_back([failed], error, tried=error.tried), *_put_back(remaining, error)]
    detail = f"not tried: an earlier post for this device failed: {error}"
    return [
        *_retry(failed, error),
        *_leave_untried(remaining, _reason_of(error), detail, error.retry_after),
    ]


def _retry(failed: Post, error: TransientError) -> list[Outcome]:
    """Try again later. Being throttled is no failure of the uplink, and costs it no attempt."""
    counts = not isinstance(error, ThrottledError)
    return [
        RetryLater(uplink, _reason_of(error), str(error), error.retry_after, counts=counts)
        for uplink in _uplinks_of([failed])
    ]


def _reason_of(error: TransientError) -> Reason:
    return Reason.DOWNSTREAM_THROTTLED if isinstance(error, ThrottledError) else Reason.DOWNSTREAM_UNAVAILABLE


def _put_back(posts: Iterable[Post], error: AwayError, *, tried: bool = False) -> list[Outcome]:
    """The downstream as a whole is away: keep everything in its place until it is back."""
    return [PutBack(uplink, Reason.DOWNSTREAM_UNAVAILABLE, str(error), counts=tried) for uplink in _uplinks_of(posts)]


def _leave_untried(
    remaining: Iterable[Post], reason: Reason, detail: str, wait: timedelta | None = None
) -> list[Outcome]:
    """Keep the device's later posts in order, and untried: they come back apart from the one that failed.

    Their attempt does not count, and so they travel in a frame of their own: an uplink that the downstream cannot bear
    delays its neighbours by one step of the ladder and does not take them down with it.
    """
    return [RetryLater(uplink, reason, detail, wait, counts=False) for uplink in _uplinks_of(remaining)]
