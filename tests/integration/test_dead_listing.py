"""Listing dead letters, a hundred times and killed in the middle: it loses, reorders and hides nothing."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aio_pika
import orjson
import pytest

from common.dead_letter import DeadLetter, Disposition
from common.ladder import Ladder
from common.queue import open_queue
from common.queue.protocol import Queue
from common.queue.rabbitmq.topology import Topology
from tests.support.letters import build_frame_letter, build_letter
from tests.support.processes import SLUICE
from tests.support.remains import bury

LISTINGS = 100
PROCESS_EVERY = 4
"""Every so many listings is a process of its own, of which every second one is killed; starting one is expensive."""

LETTERS = 400
"""In JSON several times what a pipe holds: a listing that nobody reads stops in its middle."""

AGE = timedelta(days=90)


@pytest.fixture(params=[pytest.param("rabbitmq", marks=pytest.mark.rabbitmq), "sqlite"])
def place(request: pytest.FixtureRequest, prefix: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a deployment of each engine."""
    url = request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else f"sqlite:{tmp_path / 'queue.db'}"
    return {"SLUICE_QUEUE": url, "SLUICE_QUEUE_PREFIX": prefix}


@pytest.fixture
async def queue(place: Mapping[str, str]) -> AsyncIterator[Queue]:
    async with open_place(place) as queue:
        yield queue
    if place["SLUICE_QUEUE"].startswith("amqp"):
        await delete_queues(place["SLUICE_QUEUE"], Topology(place["SLUICE_QUEUE_PREFIX"], Ladder().steps, AGE))


def open_place(place: Mapping[str, str]) -> AbstractAsyncContextManager[Queue]:
    return open_queue(
        place["SLUICE_QUEUE"],
        prefix=place["SLUICE_QUEUE_PREFIX"],
        ladder=Ladder(),
        dead_letter_age=AGE,
        name="test",
    )


async def delete_queues(url: str, topology: Topology) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for queue in topology.queues:
            await channel.queue_delete(queue.name)


@pytest.mark.timeout(300)
async def test_a_hundred_listings_of_which_some_are_killed_change_nothing(
    queue: Queue, place: Mapping[str, str]
) -> None:
    expected = await leave_letters(queue)
    for number in range(LISTINGS):
        match divmod(number, PROCESS_EVERY):
            case (process, 0) if process % 4 == 0:
                await list_and_kill_in_the_output(place)
            case (process, 0) if process % 4 == 1:
                await list_and_kill_after(place, random.uniform(0.2, 1.5))
            case (_, 0):
                assert await list_in_a_process(place) == expected
            case _:
                assert await list_here(place) == expected
    assert (await queue.depths()).work == 0


async def leave_letters(queue: Queue) -> list[tuple[str, int]]:
    """Have letters in the queue: most as they died, some purged, some for the second time, one of a whole message.

    Gives what has to be listed: each uplink with the number of its earlier deaths.
    """
    letters = [build_letter(index, detail=f"{index} ".ljust(200, "x")) for index in range(LETTERS)]
    await bury(queue, letters)
    await queue.mark_dead_letters([letter.id for letter in letters[::7]], Disposition.PURGED)
    again = [replace(letter, died_at=letter.died_at + timedelta(seconds=1)) for letter in letters[1::50]]
    last = build_frame_letter()
    await bury(queue, [*again, last])
    purged = {letter.uplink_id for letter in letters[::7]}
    died_again = {letter.uplink_id for letter in again}
    once = [letter for letter in letters if letter.uplink_id not in purged | died_again]
    return [*((letter.uplink_id, 0) for letter in once), *count_deaths(again), (last.uplink_id, 0)]


def count_deaths(again: Sequence[DeadLetter]) -> list[tuple[str, int]]:
    return [(letter.uplink_id, 1) for letter in again]


async def list_here(place: Mapping[str, str]) -> list[tuple[str, int]]:
    async with open_place(place) as queue:
        return [(letter.uplink_id, len(letter.history)) async for letter in queue.dead_letters()]


async def list_in_a_process(place: Mapping[str, str]) -> list[tuple[str, int]]:
    process = await start_listing(place)
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    documents = [orjson.loads(line) for line in output.splitlines()]
    return [(document["uplink_id"], len(document["history"])) for document in documents]


async def list_and_kill_in_the_output(place: Mapping[str, str]) -> None:
    process = await start_listing(place)
    assert process.stdout is not None
    assert b"uplink_id" in await process.stdout.readline()
    assert process.returncode is None
    await kill(process)


async def list_and_kill_after(place: Mapping[str, str], seconds: float) -> None:
    process = await start_listing(place)
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        await kill(process)


async def start_listing(place: Mapping[str, str]) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    return await asyncio.create_subprocess_exec(
        SLUICE,
        "dead",
        "list",
        "--json",
        env={**clean, **place},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """End it as a crash would, and read what is left in its pipes, so that they are closed."""
    process.kill()
    await process.communicate()
