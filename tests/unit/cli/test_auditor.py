"""Auditing processes that count for themselves, on a queue in memory."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TypeAlias

import httpx
import pytest

from cli import auditor as module
from cli.auditor import READINGS, Auditor
from cli.balance import Span, Verdict
from cli.counters import UnknownError
from common.queue.protocol import QueueUnavailableError
from tests.support.queues import FakeQueue

Counts: TypeAlias = dict[str, int]

INGEST, WORKER = "http://user:hunter2@ingest/metrics", "http://worker/metrics"


class Processes:
    """Serves counters; ``move`` is called after each answer."""

    def __init__(self) -> None:
        self.counts: dict[str, Counts] = {
            "ingest": {"process_start_time_seconds": 1_800_000_000, "uplinks_accepted_total": 10},
            "worker": {"process_start_time_seconds": 1_800_000_001, "uplinks_delivered_total": 10},
        }
        self.status = 200
        self.move: Callable[[], None] = lambda: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        counts = self.counts[request.url.host]
        text = "".join(f"sluice_{name} {count}\n" for name, count in counts.items())
        self.move()
        return httpx.Response(self.status, text=text)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0)


@pytest.fixture
def queue() -> FakeQueue:
    return FakeQueue()


@pytest.fixture
def processes() -> Processes:
    return Processes()


@pytest.fixture
async def auditor(queue: FakeQueue, processes: Processes) -> AsyncIterator[Auditor]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(processes)) as client:
        yield Auditor(queue, client, [INGEST, WORKER], most_uplinks=500)


async def test_books_that_balance_are_found_to(auditor: Auditor) -> None:
    assert (await auditor.audit(None)).verdict is Verdict.BALANCED


async def test_one_process_at_two_urls_counts_once(auditor: Auditor, processes: Processes) -> None:
    both = {**processes.counts["ingest"], **processes.counts["worker"]}
    processes.counts = {"ingest": both, "worker": both}
    assert (await auditor.audit(None)).verdict is Verdict.BALANCED


async def test_an_uplink_that_is_counted_a_moment_later_is_waited_for(auditor: Auditor, processes: Processes) -> None:
    processes.counts["worker"]["uplinks_delivered_total"] = 9
    readings = iter(range(READINGS))

    def deliver() -> None:
        if next(readings) == 6:  # after the first snapshot
            processes.counts["worker"]["uplinks_delivered_total"] = 10

    processes.move = deliver
    assert (await auditor.audit(None)).verdict is Verdict.BALANCED


async def test_what_is_missing_since_a_snapshot_is_out_of_balance(auditor: Auditor, processes: Processes) -> None:
    before = await auditor.take_snapshot()
    processes.counts["ingest"]["uplinks_accepted_total"] += 5
    processes.counts["worker"]["uplinks_delivered_total"] += 4
    finding = await auditor.audit(before)
    assert (finding.verdict, "1 uplinks are missing" in finding.why) == (Verdict.OUT_OF_BALANCE, True)


async def test_what_is_missing_since_the_processes_started_proves_nothing(
    auditor: Auditor, processes: Processes
) -> None:
    processes.counts["worker"]["uplinks_delivered_total"] = 4
    finding = await auditor.audit(None)
    assert (finding.verdict, "--since" in finding.why) == (Verdict.CANNOT_TELL, True)


async def test_messages_in_the_queue_leave_it_open(auditor: Auditor, queue: FakeQueue) -> None:
    queue.depth = 3
    finding = await auditor.audit(None)
    assert finding.verdict is Verdict.CANNOT_TELL
    assert finding.account is not None
    assert finding.account.in_queue == Span(0, 1500)


async def test_what_was_replayed_has_come_in_again(auditor: Auditor, queue: FakeQueue, processes: Processes) -> None:
    before = await auditor.take_snapshot()
    queue.replayed = 2
    processes.counts["worker"]["uplinks_delivered_total"] += 2
    assert (await auditor.audit(before)).verdict is Verdict.BALANCED


async def test_figures_that_never_rest_do_not_belong_together(auditor: Auditor, processes: Processes) -> None:
    def accept() -> None:
        processes.counts["ingest"]["uplinks_accepted_total"] += 1

    processes.move = accept
    with pytest.raises(UnknownError, match="on the move"):
        await auditor.audit(None)


async def test_a_process_that_does_not_answer_is_named_without_its_password(
    auditor: Auditor, processes: Processes
) -> None:
    processes.status = 503
    with pytest.raises(UnknownError, match="http://ingest/metrics answers 503") as unknown:
        await auditor.audit(None)
    assert "hunter2" not in str(unknown.value)


async def test_a_queue_that_is_away_leaves_it_open(
    auditor: Auditor, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def depths() -> None:
        raise QueueUnavailableError("RabbitMQ cannot be used")

    monkeypatch.setattr(queue, "depths", depths)
    with pytest.raises(QueueUnavailableError):
        await auditor.audit(None)


async def test_a_snapshot_says_when_it_was_taken(auditor: Auditor) -> None:
    before = datetime.now(UTC)
    assert before <= (await auditor.take_snapshot()).at <= datetime.now(UTC)
