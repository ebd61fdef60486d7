"""Many posts in one request, where the downstream takes that (docs/wire-format.md).

The posts that wait at the same moment leave together: while some requests are under way, what comes meanwhile waits for
the next. Each post has an answer of its own, as if it had travelled alone.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from itertools import islice, repeat
from typing import NamedTuple, TypeAlias

import orjson

from common.gathering import Gatherer
from workers.answers import Answer, RejectedError, Statement, TransientError, parse_answer, read_statement
from workers.grouping import Post

POSTS_PER_REQUEST = 200
"""More gain nothing, and one request should not hold a registry for long."""

BYTES_PER_REQUEST = 2_000_000

REQUESTS_IN_FLIGHT = 2
"""One is being answered while the next is gathered."""


SendBulk: TypeAlias = Callable[[bytes], Awaitable[Answer]]
"""Sends the body of one request; raises :class:`workers.answers.TransientError`."""


Said: TypeAlias = Statement | TransientError
"""The answer to one post, or how the request failed that it was in."""


class _Waiting(NamedTuple):
    """Posts that fit into one request, and what their sender waits for: what was said to each."""

    posts: Sequence[Post]
    size: int
    said: asyncio.Future[list[Said]]


class Bulk:
    """Gathers posts into requests."""

    def __init__(self, send: SendBulk) -> None:
        self._send = send
        self._gatherer = Gatherer(_take, self._send_together, in_flight=REQUESTS_IN_FLIGHT)

    async def post(self, posts: Iterable[Post]) -> list[Said]:
        """Give what was said to each of these posts, in their order."""
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(fitting, size, loop.create_future()) for fitting, size in _divide(posts)]
        for part in waiting:
            self._gatherer.add(part)
        return [said for part in waiting for said in await part.said]

    async def _send_together(self, together: Sequence[_Waiting]) -> None:
        posts = [post for waiting in together for post in waiting.posts]
        said: Iterator[Said] = repeat(TransientError("many posts at once ended without an answer"))
        try:
            said = iter(_read_answers(await self._send(_encode(posts)), len(posts)))
        except TransientError as error:
            said = repeat(error)
        finally:
            for waiting in together:
                to_these = list(islice(said, len(waiting.posts)))
                if not waiting.said.done():
                    waiting.said.set_result(to_these)


def _take(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Take what waits, in order, up to the bounds of a request; never nothing."""
    taken = [waiting.popleft()]
    count, size = len(taken[0].posts), taken[0].size
    while waiting:
        count += len(waiting[0].posts)
        size += waiting[0].size
        if count > POSTS_PER_REQUEST or size > BYTES_PER_REQUEST:
            break
        taken.append(waiting.popleft())
    return taken


def _divide(posts: Iterable[Post]) -> Iterator[tuple[list[Post], int]]:
    """Give the posts in parts that each fit into one request, with the bytes of their bodies."""
    fitting: list[Post] = []
    size = 0
    for post in posts:
        grown = size + len(post.body)
        if fitting and (len(fitting) == POSTS_PER_REQUEST or grown > BYTES_PER_REQUEST):
            yield fitting, size
            fitting, grown = [], len(post.body)
        fitting.append(post)
        size = grown
    yield fitting, size


def _encode(posts: Iterable[Post]) -> bytes:
    entries = [
        {
            "device_token": post.device_token.get_secret_value(),
            "uplinks": [resolved.mapped.uplink.id for resolved in post.uplinks],
            "records": orjson.Fragment(post.body),
        }
        for post in posts
    ]
    return orjson.dumps({"posts": entries})


def _read_answers(answer: Answer, posts: int) -> list[Statement]:
    """Take an answer apart; raises :class:`TransientError` for one that is not about so many posts."""
    if answer.status != HTTPStatus.OK:
        raise _read_failure(answer)
    try:
        answers = [Statement(int(entry["code"]), {}, entry) for entry in orjson.loads(answer.body)["result"]]
    except (ValueError, TypeError, KeyError) as error:
        raise TransientError(f"the answer to many posts at once cannot be read: {error!r}") from None
    if len(answers) != posts:
        raise TransientError(f"{len(answers)} answers to many posts at once, which were {posts}")
    return answers


def _read_failure(answer: Answer) -> TransientError:
    """Say what an answer to the request as a whole means: whatever it is, it is about none of the posts."""
    try:
        read_statement(parse_answer(answer))
    except TransientError as error:
        return error
    except RejectedError as error:
        return TransientError(f"many posts at once: {error}")
    return TransientError(f"many posts at once: {answer.status}")
