"""The processes of the deployment as their ``/metrics`` and ``/readyz`` tell, and the queue, again and again."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, Final, TypeAlias

import httpx
import structlog
from prometheus_client.parser import text_string_to_metric_families

from common.queue.protocol import Depths, Queue, QueueUnavailableError

LOOK_SECONDS: Final = 10.0
"""Between two looks, each of which costs every process one request or two."""

ANSWER_SECONDS: Final = 5.0

HOUR_SECONDS: Final = 3_600.0

STARTED: Final = "sluice_process_start_time_seconds"

AGE: Final = "sluice_oldest_uplink_age_seconds"

COUNTED: Final = {
    "accepted": "sluice_uplinks_accepted_total",
    "delivered": "sluice_uplinks_delivered_total",
    "set_aside": "sluice_uplinks_set_aside_total",
    "retried": "sluice_uplinks_retried_total",
    "dead": "sluice_uplinks_dead_total",
}
"""What is counted, over all labels, by the word that the page has for it."""

FLAGS: Final = {
    "breaker": "sluice_breaker_open",
    "gate": "sluice_gate_closed",
    "directory": "sluice_directory_degraded",
}

FindAddresses: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the addresses of the processes that answer to one host name; none where the name is one process's alone.

Raises OSError for a name that nobody has.
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process at one moment. ``fault`` says why it could not be asked; then nothing else is known.

    ``started`` is Unix time in seconds, which also tells a process from all others. ``flags`` are those that are set.
    """

    url: str
    role: str = ""
    fault: str | None = None
    ready: bool = False
    draining: bool = False
    degraded: Sequence[str] = ()
    started: float = 0.0
    counted: dict[str, float] = field(default_factory=dict)
    oldest_age: float = 0.0
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Look:
    """Everything at one moment. ``queue_fault`` says why the queue could not be asked, and then there are no depths."""

    at: datetime
    processes: Sequence[ProcessState]
    depths: Depths | None = None
    queue_fault: str | None = None

    @property
    def oldest_age(self) -> float:
        """How long the oldest uplink waits, in seconds: the greatest age that any process sees."""
        return max((process.oldest_age for process in self.processes), default=0.0)


@dataclass(frozen=True, slots=True)
class Growth:
    """What was counted between two looks, ``seconds`` apart, by the words of :data:`COUNTED`."""

    at: datetime
    seconds: float
    counted: dict[str, float]
    oldest_age: float


class Processes:
    """What is seen of the deployment: the last look, and what was counted within an hour. Nothing here raises.

    ``clients`` have the URL of one process each, or of all replicas of one, which ``find_addresses`` tells apart.
    """

    def __init__(
        self, clients: Sequence[httpx.AsyncClient], queue: Queue, find_addresses: FindAddresses | None = None
    ) -> None:
        self._clients = clients
        self._queue = queue
        self._find_addresses = find_addresses
        self._look: Look | None = None
        self._growths: deque[Growth] = deque(maxlen=int(HOUR_SECONDS / LOOK_SECONDS))

    @property
    def growths(self) -> Sequence[Growth]:
        """What was counted in each interval of the last hour, as far as this console has looked, the oldest first."""
        return tuple(self._growths)

    async def watch(self) -> None:
        """Look again and again until cancelled."""
        while True:
            before = self._look
            self._look = await self.look()
            if before is not None:
                self._growths.append(measure_growth(before, self._look))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> Look:
        """Look now."""
        states, queue = await asyncio.gather(
            asyncio.gather(*(self._read_replicas(client) for client in self._clients)), self._read_queue()
        )
        return Look(datetime.now(UTC), [*chain.from_iterable(states)], *queue)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.aclose()

    async def _read_replicas(self, client: httpx.AsyncClient) -> list[ProcessState]:
        """Ask every process that answers to the client's URL; how many those are may change at any time."""
        addresses: Sequence[str | None] = ()
        if self._find_addresses is not None:
            with suppress(OSError, UnicodeError):  # nobody has the name, or it is not told in time: asking it says that
                async with asyncio.timeout(ANSWER_SECONDS):
                    addresses = await self._find_addresses(client.base_url.host)
        return await asyncio.gather(*(read_process(client, address) for address in addresses or (None,)))

    async def _read_queue(self) -> tuple[Depths | None, str | None]:
        try:
            return await self._queue.depths(), None
        except QueueUnavailableError as error:
            return None, str(error)


async def read_process(client: httpx.AsyncClient, address: str | None = None) -> ProcessState:
    """Ask one process how it is, and what it has counted: the one at ``address``, where several answer to the URL."""
    named = client.base_url
    url = str(named if address is None else named.copy_with(host=address)).rstrip("/")
    # What is asked by its address still is who the name says: a proxy goes by the one, a certificate by the other.
    host, extensions = {"Host": named.netloc.decode()}, {"sni_hostname": named.raw_host.decode()}
    ask = partial(client.get, headers=host, extensions=extensions)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            readiness = await ask(f"{url}/readyz")
            metrics = await ask(f"{url}/metrics")
        return parse_process(url, readiness.json(), metrics.text)
    except TimeoutError:
        return ProcessState(url, fault=f"no answer within {ANSWER_SECONDS:g} s")
    except httpx.HTTPError as error:
        return ProcessState(url, fault=f"does not answer: {type(error).__name__}")
    except (ValueError, KeyError, TypeError):
        return ProcessState(url, fault="what answers there is no process of Sluice")


def parse_process(url: str, readiness: Any, metrics: str) -> ProcessState:
    """Read the two answers. Raises ValueError, KeyError or TypeError for what is not Sluice's."""
    samples = list(chain.from_iterable(family.samples for family in text_string_to_metric_families(metrics)))
    sums: dict[str, float] = {}
    for sample in samples:
        sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return ProcessState(
        url=url,
        role=readiness["role"],
        ready=readiness["status"],
        draining=readiness["draining"],
        degraded=tuple(readiness["degraded"]),
        started=sums[STARTED],
        counted={word: sums.get(name, 0.0) for word, name in COUNTED.items()},
        oldest_age=max((sample.value for sample in samples if sample.name == AGE), default=0.0),
        flags=frozenset(flag for flag, name in FLAGS.items() if sums.get(name)),
    )


def measure_growth(before: Look, now: Look) -> Growth:
    """Give what was counted in between; what a process counted that is gone by now nobody knows."""
    earlier = {process.started: process.counted for process in before.processes if process.fault is None}
    grown = dict.fromkeys(COUNTED, 0.0)
    for process in list_distinct(now.processes):
        # One that began since then counted everything since then; one that was not seen before may be older.
        known = earlier.get(process.started)
        if known is None and process.started < before.at.timestamp():
            continue
        for word, count in process.counted.items():
            grown[word] += max(0.0, count - (known or {}).get(word, 0.0))
    return Growth(now.at, (now.at - before.at).total_seconds(), grown, now.oldest_age)


def list_distinct(processes: Iterable[ProcessState]) -> list[ProcessState]:
    """Give each process that answered once, whichever of its ports did: the roles of one share what they count."""
    return list({process.started: process for process in processes if process.fault is None}.values())
