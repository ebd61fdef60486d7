"""Many posts in one request: each is authenticated, decoded, checked and stored as if it had come alone.

What the posts of a request share is the way here and, as far as they fit, the transactions. One that is refused leaves
the others alone, and uplinks that may not share a post (a parser runs once for each) do not share one here either.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson

from registry.answer import explain, write_refusal
from registry.data_writer import DevicePost
from registry.devices import Devices
from registry.entries import DeviceEntry
from registry.intake import Intake
from registry.refusal import RefusedError, denied, invalid
from registry.request import BODY_BYTES
from registry.uplink_ids import check_uplink_ids

BULK_BYTES = 8_388_608
"""Largest request: forty of the largest posts, or all that are allowed of common ones."""

MOST_POSTS = 1_000

BULK_SCHEMA: Final = {
    "type": "object",
    "required": ["posts"],
    "additionalProperties": False,
    "properties": {
        "posts": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_POSTS,
            "items": {
                "type": "object",
                "required": ["device_token", "records"],
                "additionalProperties": False,
                "properties": {
                    "device_token": {"type": "string"},
                    "uplinks": {"type": "array", "items": {"type": "string"}},
                    "records": {"$ref": "#/components/schemas/Payload"},
                },
            },
        }
    },
}
"""What a request is, for the OpenAPI document."""

_FIELDS = frozenset({"device_token", "uplinks", "records"})


class Bulk:
    """Takes requests of many posts."""

    def __init__(self, devices: Devices, intake: Intake) -> None:
        self._devices = devices
        self._intake = intake

    async def take(self, body: bytes) -> list[dict[str, Any]]:
        """Give the answer to each post, in their order, with the HTTP status that it would have had alone.

        Raises :class:`registry.refusal.RefusedError` (400) for a request that is no list of posts.
        """
        posts = _parse_posts(body)
        by_token: defaultdict[Any, list[int]] = defaultdict(list)
        for index, post in enumerate(posts):
            by_token[post["device_token"]].append(index)
        devices = await self._devices.authenticate_all(by_token, to="write")
        answers = [_refuse(denied())] * len(posts)
        known = ((device, by_token[token]) for token, device in devices.items())
        await asyncio.gather(*(self._take_of_device(device, posts, indexes, answers) for device, indexes in known))
        return answers

    async def _take_of_device(
        self,
        device: DeviceEntry,
        posts: Sequence[dict[str, Any]],
        indexes: Sequence[int],
        answers: list[dict[str, Any]],
    ) -> None:
        """Take the posts of one token: decoded one after the other, and stored in that order."""
        storing: dict[int, asyncio.Future[int]] = {}
        remaining = deque(indexes)
        while remaining:
            index = remaining.popleft()
            try:
                storing[index] = self._intake.store(await self._prepare(device, posts[index]))
            except Exception as error:  # noqa: BLE001 - it is the answer to this post, and the next one is taken
                answers[index] = _refuse(error)
                if answers[index]["code"] == HTTPStatus.TOO_MANY_REQUESTS:  # the next would wait as long for the same
                    for later in remaining:
                        answers[later] = answers[index]
                    break
        for index, stored in storing.items():
            try:
                answers[index] = {"code": 200, "status": True, "result": f"{await stored} Data Added"}
            except Exception as error:  # noqa: BLE001 - as above
                answers[index] = _refuse(error)

    async def _prepare(self, device: DeviceEntry, post: dict[str, Any]) -> DevicePost:
        _check_size(post["records"])
        return await self._intake.prepare(device, post["records"], check_uplink_ids(post.get("uplinks", ())))


def _parse_posts(body: bytes) -> list[dict[str, Any]]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    match document:
        case {"posts": [*posts]} if len(document) == 1 and 0 < len(posts) <= MOST_POSTS:
            for index, post in enumerate(posts):
                _check_post(index, post)
            return posts
        case _:
            raise invalid(f'The body must be {{"posts": […]}}, with 1 to {MOST_POSTS:,} posts')


def _check_post(index: int, post: Any) -> None:
    match post:
        case {"device_token": str(), "records": _, **rest} if rest.keys() <= _FIELDS and _are_strings(
            rest.get("uplinks", [])
        ):
            return
        case _:
            raise invalid(f"Post {index} must be an object with device_token, records, and perhaps a list of uplinks")


def _check_size(records: Any) -> None:
    """Refuse what would be too large alone. Raises :class:`registry.refusal.RefusedError` (413)."""
    alone = records.encode() if isinstance(records, str) else orjson.dumps(records)
    if len(alone) > BODY_BYTES:
        raise RefusedError(413, f"The records of a post must not be larger than {BODY_BYTES:,} bytes")


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(member, str) for member in value)


def _refuse(error: Exception) -> dict[str, Any]:
    refused = error if isinstance(error, RefusedError) else explain(error, "/data/bulk")
    return {"code": refused.status, **write_refusal(refused)}
