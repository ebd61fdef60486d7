"""Stage 4: each post to the downstream, and what its answer means for its uplinks."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
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
from workers.downstream import Downstream, Receipt
from workers.events import UNTOLD, RequestEvents
from workers.grouping import Post, split_post, with_token
from workers.outcome import DeadLettered, Delivered, Outcome, PutBack, RetryLater
from workers.resolver import ResolvedUplink, Resolver
from workers.unexpected import note_unexpected

HOLD_SECONDS = 600.0
"""How long the posts of one request may take before the rest goes back to the queue: a third of the time after which
RabbitMQ takes an unacked delivery for lost."""


class Posting:
    """Posts what grouping made: devices side by side, the posts of one device one after another.

    Where the downstream takes many posts at once, the next post of every device travels with the others; what comes to
    nothing so, or has to wait for its turn, is posted by itself.
    """

    def __init__(self, downstream: Downstream, resolver: Resolver) -> None:
        self._downstream = downstream
        self._resolver = resolver
        self._is_stopping = False

    def stop(self) -> None:
        """Begin no further post: what is under way ends, and the rest goes back to the queue untried."""
        self._is_stopping = True

    async def post_all(self, posts: Sequence[Post], events: RequestEvents = UNTOLD) -> list[Outcome]:
        """Give an outcome for each uplink of the posts, which are those of one request."""
        until = asyncio.get_running_loop().time() + HOLD_SECONDS
        lines = _line_up(posts)
        outcomes = await self._post_together(lines, until, events)
        posting = [asyncio.create_task(self._post_in_order(line, until, events)) for line in lines if line.posts]
        try:  # as `gather` would, at less than half of its cost
            for line in posting:
                outcomes.extend(await line)
        finally:
            for line in posting:
                line.cancel()
        return outcomes

    async def _post_together(self, lines: Sequence["_Line"], until: float, events: RequestEvents) -> list[Outcome]:
        """Post for all devices at once, round by round; what the downstream does not take so stays in its line."""
        outcomes: list[Outcome] = []
        now = asyncio.get_running_loop().time
        while lines and not self._is_stopping and (began := now()) <= until:
            heads = [line.posts[0] for line in lines]
            going_on = []
            for line, post, became in zip(lines, heads, await self._downstream.post_together(heads), strict=True):
                if isinstance(became, Receipt):
                    events.posted(post, became.answer, now() - began)
                    outcomes.extend(_deliver(post))
                    line.posts.popleft()
                    if line.posts:
                        going_on.append(line)
                elif became is not None:
                    events.post_failed(post, became, now() - began)
                    line.said = became
            lines = going_on
        return outcomes

    async def _post_in_order(self, line: "_Line", until: float, events: RequestEvents) -> list[Outcome]:
        """Post for one device until nothing remains, or until the downstream cannot take it now."""
        outcomes: list[Outcome] = []
        has_fresh_token = False
        now = asyncio.get_running_loop().time
        while line.posts:
            began = now()
            if line.said is None and (self._is_stopping or began > until):
                detail = "not tried: the worker had no more time for this request"
                return [*outcomes, *_leave_untried(line.posts, Reason.DOWNSTREAM_UNAVAILABLE, detail)]
            post = line.posts.popleft()
            match line.take_said() or await self._post(post, line, until, events):
                case Receipt(answer):
                    events.posted(post, answer, now() - began)
                    outcomes.extend(_deliver(post))
                case UnauthorizedError() if not has_fresh_token:
                    has_fresh_token = True
                    outcomes.extend(await self._renew_token(post, line))
                case RejectedError() as error if isinstance(error, UnauthorizedError) or len(post.uplinks) == 1:
                    outcomes.extend(_dead_letter(post, error))
                case RejectedError():  # one bad record has the whole body refused: find it, deliver the others
                    line.posts.extendleft(reversed(split_post(post)))
                case TransientError() as error:
                    return [*outcomes, *_give_up(post, line.posts, error)]
                case bug:
                    outcomes.extend(note_unexpected(uplink, bug) for uplink in _uplinks_of([post]))
        return outcomes

    async def _post(self, post: Post, line: "_Line", until: float, events: RequestEvents) -> Receipt | Exception:
        """Give what became of a post; a bug met in one may not take the others with it."""
        began = asyncio.get_running_loop().time()
        try:
            return await self._downstream.post(
                post,
                waiting=len(post.uplinks) + len(line.posts),
                until=until,
                on_failure=partial(_tell_failure, events, post, began),
            )
        except Exception as error:  # noqa: BLE001 - it is told apart by its type
            return error

    async def _renew_token(self, refused: Post, line: "_Line") -> list[Outcome]:
        """Ask once more for the device whose remembered token was refused, and have its posts made with a fresh one.

        Gives the resolver's outcome for each of their uplinks where there is none.
        """
        mapped = refused.uplinks[0].mapped
        self._resolver.forget(mapped, refused.device_token)
        afresh = await self._resolver.resolve(mapped)
        if isinstance(afresh, ResolvedUplink):
            line.posts = deque(with_token(post, afresh.device_token) for post in [refused, *line.posts])
            return []
        untried = afresh if isinstance(afresh, DeadLettered) else replace(afresh, counts=False)
        outcomes = [*_spread(afresh, [refused]), *_spread(untried, line.posts)]
        line.posts.clear()
        return outcomes


@dataclass(slots=True, eq=False)
class _Line:
    """What is still to be posted for one device, in order; ``said`` refuses the first, which has travelled already."""

    posts: deque[Post] = field(default_factory=deque)
    said: RejectedError | ThrottledError | None = None

    def take_said(self) -> RejectedError | ThrottledError | None:
        """Give what was said to the first of the posts, once."""
        said, self.said = self.said, None
        return said


def _line_up(posts: Iterable[Post]) -> list[_Line]:
    lines: dict[str, _Line] = defaultdict(_Line)
    for post in posts:
        lines[post.device_token.get_secret_value()].posts.append(post)
    return [*lines.values()]


def _tell_failure(events: RequestEvents, post: Post, began: float, error: DownstreamError) -> None:
    events.post_failed(post, error, asyncio.get_running_loop().time() - began)


def _uplinks_of(posts: Iterable[Post]) -> Iterator[Uplink]:
    return (resolved.mapped.uplink for post in posts for resolved in post.uplinks)


def _spread(outcome: Outcome, posts: Iterable[Post]) -> list[Outcome]:
    """Give every uplink of the posts the same outcome."""
    return [replace(outcome, uplink=uplink) for uplink in _uplinks_of(posts)]


def _deliver(taken: Post) -> list[Outcome]:
    return [Delivered(resolved.mapped.uplink) for resolved in taken.uplinks]


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
