"""Stage 4: each post to the downstream, and what its answer means for its uplinks."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from common.reason import Reason
from workers.answers import RejectedError, ThrottledError, TransientError, UnauthorizedError
from workers.downstream import Downstream
from workers.grouping import Post, split_post, with_token
from workers.outcome import DeadLettered, Delivered, Outcome, RetryLater
from workers.resolver import ResolvedUplink, Resolver
from workers.unexpected import note_unexpected


class Posting:
    """Posts what grouping made: devices side by side, the posts of one device one after another."""

    def __init__(self, downstream: Downstream, resolver: Resolver) -> None:
        self._downstream = downstream
        self._resolver = resolver

    async def post_all(self, posts: Sequence[Post]) -> list[Outcome]:
        """Give an outcome for each uplink of the posts."""
        by_device: dict[str, deque[Post]] = {}
        for post in posts:
            by_device.setdefault(post.device_token.get_secret_value(), deque()).append(post)
        outcomes = await asyncio.gather(*(self._post_in_order(remaining) for remaining in by_device.values()))
        return [outcome for device in outcomes for outcome in device]

    async def _post_in_order(self, remaining: deque[Post]) -> list[Outcome]:
        """Post for one device until nothing remains, or until the downstream cannot take it now."""
        outcomes: list[Outcome] = []
        while remaining:
            post = remaining.popleft()
            try:
                await self._post_with_good_token(post)
            except UnauthorizedError as error:
                outcomes.extend(_dead_letter(post.uplinks, error))
            except RejectedError as error:
                if len(post.uplinks) > 1:  # one bad record has the whole body refused: find it, deliver the others
                    remaining.extendleft(reversed(split_post(post)))
                else:
                    outcomes.extend(_dead_letter(post.uplinks, error))
            except TransientError as error:
                return [*outcomes, *_retry(post.uplinks, error), *_hold_back(remaining, error)]
            except Exception as error:  # noqa: BLE001 - a bug met in one post may not take the others with it
                outcomes.extend(note_unexpected(resolved.mapped.uplink, error) for resolved in post.uplinks)
            else:
                outcomes.extend(Delivered(resolved.mapped.uplink) for resolved in post.uplinks)
        return outcomes

    async def _post_with_good_token(self, post: Post) -> None:
        """Post; where the downstream refuses the remembered token, resolve it afresh, once."""
        try:
            await self._downstream.post(post)
        except UnauthorizedError:
            mapped = post.uplinks[0].mapped
            self._resolver.forget(mapped, post.device_token)
            match await self._resolver.resolve(mapped):
                case ResolvedUplink(device_token=device_token):
                    await self._downstream.post(with_token(post, device_token))
                case RetryLater(detail=detail, wait=wait):
                    raise TransientError(detail, wait) from None
                case DeadLettered(detail=detail):
                    raise UnauthorizedError(detail) from None


def _dead_letter(uplinks: Iterable[ResolvedUplink], error: RejectedError) -> list[Outcome]:
    return [DeadLettered(resolved.mapped.uplink, Reason.DOWNSTREAM_REFUSED, str(error)) for resolved in uplinks]


def _retry(uplinks: Iterable[ResolvedUplink], error: TransientError) -> list[Outcome]:
    reason = Reason.DOWNSTREAM_THROTTLED if isinstance(error, ThrottledError) else Reason.DOWNSTREAM_UNAVAILABLE
    return [RetryLater(resolved.mapped.uplink, reason, str(error), error.retry_after) for resolved in uplinks]


def _hold_back(remaining: Iterable[Post], error: TransientError) -> list[Outcome]:
    """Keep the device's later posts in order, and untried: they come back apart from the one that failed.

    Their attempt does not count, and so they travel in a frame of their own: an uplink that the downstream cannot bear
    delays its neighbours by one step of the ladder and does not take them down with it.
    """
    return [
        RetryLater(
            resolved.mapped.uplink,
            Reason.DOWNSTREAM_UNAVAILABLE,
            f"not tried: an earlier post for this device failed: {error}",
            error.retry_after,
            counts=False,
        )
        for post in remaining
        for resolved in post.uplinks
    ]
