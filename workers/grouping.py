"""Stage 3: which uplinks share one post. Pure.

Most payload parsers decode the first raw payload of a request and ignore the rest, so an uplink that carries one
travels alone. Uplinks of one request and device that are decoded already may share a post.
"""

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from common.reason import Reason
from workers.outcome import DeadLettered
from workers.resolver import DeviceToken, ResolvedUplink

BODY_BYTES = 200_000
"""TagoIO's limit on the body of one post: 200 kB."""

UPLINKS_PER_POST = 100
"""Their ids travel in one header, and 100 of them stay below the 4 kB that every server takes."""


class Post(NamedTuple):
    """The records of one downstream POST: one request, one device token, at least one uplink, in item order."""

    device_token: DeviceToken
    uplinks: tuple[ResolvedUplink, ...]
    body: bytes

    @property
    def profile(self) -> str:
        """Whose rate limit the post counts against."""
        return self.uplinks[0].mapped.key.profile


def group_into_posts(resolved: Sequence[ResolvedUplink]) -> tuple[list[Post], list[DeadLettered]]:
    """Give the posts of one request, each device's in item order, and the uplinks that fit into none."""
    posts: list[Post] = []
    oversized: list[DeadLettered] = []
    sharing: dict[str, _SharedPost] = {}
    for uplink in resolved:
        records = _encode_records(uplink)
        device = uplink.device_token.get_secret_value()
        if len(records) + 2 > BODY_BYTES:
            oversized.append(_refuse_oversized(uplink, len(records)))
            continue
        shared = sharing.get(device)
        if shared is None or not shared.takes(uplink, records):
            if shared is not None:
                posts.append(shared.close())
            shared = sharing[device] = _SharedPost()
        shared.add(uplink, records)
    posts.extend(shared.close() for shared in sharing.values())
    return posts, oversized


def split_post(post: Post) -> tuple[Post, Post]:
    """Give two posts with half of the uplinks each; the post must hold more than one."""
    middle = len(post.uplinks) // 2
    return _build_post(post.uplinks[:middle]), _build_post(post.uplinks[middle:])


def with_token(post: Post, device_token: DeviceToken) -> Post:
    """Give the same post for a token that was resolved afresh."""
    return Post(device_token, post.uplinks, post.body)


class _SharedPost:
    """A post that is still growing."""

    def __init__(self) -> None:
        self._uplinks: list[ResolvedUplink] = []
        self._records: list[bytes] = []
        self._size = 2

    def takes(self, uplink: ResolvedUplink, records: bytes) -> bool:
        """Whether the uplink may join those that are in already."""
        return (
            _may_share(uplink)
            and _may_share(self._uplinks[-1])
            and len(self._uplinks) < UPLINKS_PER_POST
            and self._size + len(records) + 1 <= BODY_BYTES
        )

    def add(self, uplink: ResolvedUplink, records: bytes) -> None:
        self._uplinks.append(uplink)
        self._records.append(records)
        self._size += len(records) + 1

    def close(self) -> Post:
        return Post(self._uplinks[0].device_token, tuple(self._uplinks), b"[%b]" % b",".join(self._records))


def _may_share(uplink: ResolvedUplink) -> bool:
    return uplink.mapped.network.share_posts and not uplink.mapped.carries_payload


def _build_post(uplinks: Sequence[ResolvedUplink]) -> Post:
    growing = _SharedPost()
    for uplink in uplinks:
        growing.add(uplink, _encode_records(uplink))
    return growing.close()


def _encode_records(uplink: ResolvedUplink) -> bytes:
    """Encode the records without the brackets, so that several uplinks join with a comma."""
    return orjson.dumps(uplink.mapped.records)[1:-1]


def _refuse_oversized(uplink: ResolvedUplink, size: int) -> DeadLettered:
    detail = f"the records of this uplink make a body of {size + 2} bytes; the downstream takes {BODY_BYTES}"
    return DeadLettered(uplink.mapped.uplink, Reason.VALUE_REFUSED, detail)
