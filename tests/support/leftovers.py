"""Leave a broker as it was; imports nothing of Sluice."""

import asyncio
from collections.abc import Sequence

import aio_pika

DEFAULT_STEPS = ("5s", "30s", "2m", "10m", "1h")
EXCHANGES = ("events", "viewers")


def delete_queues(url: str, prefix: str, steps: Sequence[str] = DEFAULT_STEPS) -> None:
    """Delete every queue and exchange that Sluice declares under this prefix, with these retry steps."""
    asyncio.run(
        _delete(url, [f"{prefix}.{name}" for name in _names(steps)], [f"{prefix}.{name}" for name in EXCHANGES])
    )


def _names(steps: Sequence[str]) -> list[str]:
    return ["uplinks", "suspects", "poison", "dead", *(f"retry.{step}" for step in steps)]


async def _delete(url: str, queues: Sequence[str], exchanges: Sequence[str]) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for name in queues:
            await channel.queue_delete(name)
        for name in exchanges:
            await channel.exchange_delete(name)
