"""Between what is posted and its records: where payload parsers run."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from registry.entries import DeviceEntry
from registry.records import ValidRecord, check_records
from registry.refusal import invalid

Payload: TypeAlias = Any
"""The body of a post: a decoded JSON value, or a string where it came as text."""


class Decode(Protocol):
    """Makes records of a payload: the one place of the data path where parsers run, once for each post."""

    async def __call__(
        self, device: DeviceEntry, payload: Payload, uplink_ids: Sequence[str] = ()
    ) -> list[ValidRecord]:
        """Give the records; ``uplink_ids`` say whose they are, where that is known.

        Raises :class:`registry.refusal.RefusedError`; nothing of the post is stored then.
        """


async def pass_through(
    device: DeviceEntry,  # noqa: ARG001 - as the protocol says
    payload: Payload,
    uplink_ids: Sequence[str] = (),  # noqa: ARG001 - see above
) -> list[ValidRecord]:
    """Take the payload for records, as it is without a parser. Raises RefusedError (400) where it is something else."""
    if isinstance(payload, str):
        raise invalid("The body is text, of which only a payload parser makes records; this device has none")
    return check_records(payload)
