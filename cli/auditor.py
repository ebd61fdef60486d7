"""Auditing processes that count for themselves: reading them at rest, and again until what was on its way has come."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import httpx

from cli.balance import Finding, Verdict, judge
from cli.counters import Snapshot, UnknownError, compare, read_counters
from common.queue.protocol import Queue

TRIES = 6
"""Audits until the books are found to balance: an uplink on its way from one process to the next is in neither."""

PAUSE_SECONDS = 0.5
"""Between two tries; all of them last longer than an ingest waits for a confirm."""

READINGS = 20
"""Of one snapshot, until the counters stand still while the messages are counted."""


class Auditor:
    """Audits the processes at ``urls`` on one queue, whose messages hold ``most_uplinks`` at most."""

    def __init__(self, queue: Queue, client: httpx.AsyncClient, urls: Sequence[str], *, most_uplinks: int) -> None:
        self._queue = queue
        self._client = client
        self._urls = urls
        self._most_uplinks = most_uplinks

    async def audit(self, before: Snapshot | None) -> Finding:
        """Compare what came in with what became of it, since ``before`` or else since the processes started.

        Raises :class:`UnknownError` when a figure cannot be had, and :class:`QueueUnavailableError`.
        """
        for _ in range(TRIES - 1):
            finding = await self._compare(before)
            if finding.verdict is Verdict.BALANCED:
                return finding
            await asyncio.sleep(PAUSE_SECONDS)
        return await self._compare(before)

    async def take_snapshot(self) -> Snapshot:
        """Read all figures as of one moment. Raises as :meth:`audit`, also when there is no moment of rest."""
        processes = await read_counters(self._client, self._urls)
        for _ in range(READINGS):
            depths = await self._queue.depths()
            earlier, processes = processes, await read_counters(self._client, self._urls)
            if processes == earlier:
                messages = depths.work + depths.retry + depths.suspects + depths.poison
                return Snapshot(datetime.now(UTC), processes, messages)
        raise UnknownError("uplinks are on the move, so no figures belong together: audit when the traffic rests")

    async def _compare(self, before: Snapshot | None) -> Finding:
        now = await self.take_snapshot()
        began = datetime.fromtimestamp(min(p.started for p in now.processes), UTC) if before is None else before.at
        replayed = await self._queue.count_replayed(began)
        finding = judge(compare(before, now, replayed=replayed, most_uplinks=self._most_uplinks))
        if before is None and finding.verdict is Verdict.OUT_OF_BALANCE:
            why = f"since the processes started, {finding.why}; what was before is not known: use --save and --since"
            return replace(finding, verdict=Verdict.CANNOT_TELL, why=why)
        return finding
