"""One cell of the fault suite: marked uplinks go in, something breaks, and the books are balanced by mark.

The truth is what the gateway was answered, what the downstream took, and what the list of dead letters shows. Nothing
that Sluice counts about itself goes into it.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from tests.support.processes import REPOSITORY, Process

GATEWAY = REPOSITORY / "tests" / "support" / "gateway.py"
ROWS = REPOSITORY / "build" / "faults.jsonl"

UPLINKS = int(os.environ.get("FAULTS_UPLINKS", "20000"))
"""In each cell; a tenth of it where the fault is slowness."""

SEED = int(os.environ.get("FAULTS_SEED", "1"))
"""Of the moments at which something is killed."""

IN_HAND = 1_000 + 500
"""Uplinks that a worker may have posted and not yet acknowledged: its limit, and one frame more."""

LOAD_SECONDS = float(os.environ.get("FAULTS_SECONDS", "20"))
"""For how long a gateway sends, whatever the size."""

BATCH = 10
UNDER_WAY = 64 * BATCH
"""Uplinks that a gateway has sent and has no answer to yet: its senders and the batch of each."""

PATIENCE_SECONDS = 240.0
"""How long the gateway sends a request again."""

STALL_SECONDS = 90.0
"""Without anything that arrives or dies, what is missing then counts as lost: longer than any wait of a ladder here."""

QUIET_SECONDS = 2.0
"""Without an arrival after everything is accounted for: what comes twice comes within it."""

POLL_SECONDS = 0.05
ANSWER_SECONDS = 5.0
"""Network servers give a request up after 5 s: the ingest may refuse, and may not let anybody hang."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why uplinks may come twice in this cell, and how many at most."""

    why: str
    at_most: int

    def with_lost_connections(self, count: int) -> "Explanation":
        """Explain what was in hand when a process lost its connection to the broker, or gave it up, as well."""
        if not count:
            return self
        lost = f"in hand when a connection to the broker was lost, {count:,} in all"
        return Explanation(f"{self.why}; {lost}" if self.why else lost, self.at_most + count * IN_HAND)


NOTHING_TWICE = Explanation("", 0)


@dataclass(frozen=True, slots=True)
class Books:
    """Who was promised what, and what became of it, each by mark."""

    accepted: Mapping[str, str]
    """The uplink id that each mark was promised under."""
    unsure: Collection[str]
    """Marks whose last answer was 503 or none: they may arrive."""
    delivered: Mapping[str, Sequence[str]]
    """The uplink ids that each mark came under, downstream."""
    dead: Mapping[str, str]
    """The reason for which each mark is a dead letter."""

    @property
    def lost(self) -> set[str]:
        return self.accepted.keys() - self.delivered.keys() - self.dead.keys()

    @property
    def duplicates(self) -> int:
        return sum(len(ids) - 1 for ids in self.delivered.values())

    @property
    def renamed(self) -> dict[str, Sequence[str]]:
        """Marks that came under another id than was promised: a receiver could not know them again.

        A registry shows the request alone, which is the beginning of the id.
        """
        return {
            mark: ids
            for mark, ids in self.delivered.items()
            if not all(came and self.accepted.get(mark, ids[0]).startswith(came) for came in ids)
        }

    @property
    def unasked(self) -> set[str]:
        """Marks that nobody accepted and that are there all the same."""
        return (self.delivered.keys() | self.dead.keys()) - self.accepted.keys() - set(self.unsure)


@dataclass(frozen=True, slots=True)
class Row:
    """What ``build/faults.jsonl`` says about one run of a cell; times are in seconds."""

    place: tuple[str, int]
    """File and line of the cell: the order of the table."""
    cell: str
    passed: bool
    accepted: int
    delivered: int
    dead: Mapping[str, int]
    lost: int
    duplicates: int
    explained: str
    recovered: float | None
    answers: Mapping[str, int]
    slowest_answer: float
    lost_connections: list[str]
    """Why, each time; not in the page's table."""
    broker: str
    date: str
    seed: int
    note: str


class Sink(Protocol):
    """Where uplinks end: a stub of the downstream and a list of dead letters, or a registry."""

    def arrived_total(self) -> int:
        """Count what came, repetitions included."""

    def arrived_distinct(self) -> int:
        """Count what came, each uplink once."""

    def arrived_marks(self) -> Mapping[str, Sequence[str]]:
        """Give the uplink ids that each mark came under."""

    def longest_silence(self, after: float, before: float) -> float | None:
        """Give the longest time without an arrival between two moments, where that is known."""

    def dead_marks(self) -> Mapping[str, str]:
        """Give the reason of each mark that is a dead letter."""

    def lost_connections(self) -> list[str]:
        """Say why a process of Sluice has lost its broker, each time, by its own log."""

    def close(self) -> None:
        """Leave nothing open."""


class Cell:
    """One run of one fault. ``broker`` names the queue's engine with its version."""

    def __init__(self, name: str, place: tuple[str, int], sink: Sink, broker: str, folder: Path) -> None:
        self.note = ""
        self._name = name
        self._place = place
        self._sink = sink
        self._broker = broker
        self._folder = folder
        self._gateways: list[tuple[Process, Path]] = []
        self._ended: list[tuple[float, float]] = []
        """When each cause ended, and after how many seconds something arrived again."""
        self._random = random.Random(SEED)

    def send(self, url: str, authorization: str, uplinks: int, **options: object) -> Process:
        """Start a gateway; ``options`` are its flags (``shared=True``).

        It sends evenly, for as long as the fault lasts at whatever size; ``rate=0`` is as fast as it is answered.
        """
        answers = self._folder / f"answers-{len(self._gateways)}.json"
        options.setdefault("rate", uplinks / BATCH / LOAD_SECONDS)
        flags = {
            "url": f"{url}/uplink",
            "answers": answers,
            "uplinks": uplinks,
            "patience": PATIENCE_SECONDS,
            **options,
        }
        arguments = [text for name, value in flags.items() for text in _write_flag(name, value)]
        gateway = Process(
            sys.executable, str(GATEWAY), *arguments, environment={"GATEWAY_AUTHORIZATION": authorization}
        )
        self._gateways.append((gateway, answers))
        return gateway

    def moments(self, count: int, *, of: int) -> list[int]:
        """Give so many random counts of uplinks, ascending, at which something is to happen; never at the very end."""
        return sorted(self._random.sample(range(of // 20, of * 4 // 5), count))

    async def accepted(self, uplinks: int) -> None:
        """Return when the gateways were promised so many uplinks."""
        await self._progress_until(lambda: self._count_accepted() >= uplinks)

    async def arrived(self, uplinks: int) -> None:
        """Return when so many have come downstream."""
        await self._progress_until(lambda: self._sink.arrived_distinct() >= uplinks)

    def arrived_marks(self) -> list[str]:
        """Give the marks that have come downstream, in their order."""
        return list(self._sink.arrived_marks())

    def dead_marks(self) -> Mapping[str, str]:
        """Give the reason of each mark that is a dead letter by now."""
        return self._sink.dead_marks()

    async def pass_seconds(self, seconds: float) -> None:
        """Let an outage last: its length is part of the fault, and no condition to wait for."""
        await asyncio.sleep(seconds)

    async def finished(self, gateway: Process) -> None:
        """Return when a gateway has sent everything."""
        await self._progress_until(lambda: gateway.exit_code is not None)

    @asynccontextmanager
    async def recovering(self) -> AsyncIterator[None]:
        """Take the cause away inside, and return when the next uplink has arrived."""
        began, before = time.monotonic(), self._sink.arrived_total()
        yield
        await self._progress_until(lambda: self._sink.arrived_total() > before or self._is_through())
        if self._sink.arrived_total() > before:
            self._ended.append((began, time.monotonic() - began))

    async def balance(
        self,
        *,
        dead: Mapping[str, int] | None = None,
        twice: Explanation = NOTHING_TWICE,
        answers: Collection[str] = (),
        felt: str = "202",
    ) -> Books:
        """Wait until every accepted uplink is accounted for, write the row, and fail where a promise is broken.

        ``dead`` is how many uplinks must have died of which reason, ``answers`` the statuses that gateways may have
        seen besides 202, and ``felt`` the one that some must have seen, or the fault was none; "0" is no answer.
        """
        sent = [await self._finish(gateway) for gateway, _ in self._gateways]
        await self._settle(sum((dead or {}).values()))
        await self._wait_until_quiet()
        books = self._read_books()
        twice = twice.with_lost_connections(len(self._sink.lost_connections()))
        problems = list(find_problems(books, dead or {}, twice))
        statuses: Counter[str] = Counter()
        for summary in sent:
            statuses.update(summary["answers"])
        slowest = max(summary["slowest"] for summary in sent)
        if unexpected := statuses.keys() - {"202", felt, *answers}:
            problems.append(f"gateways were answered {sorted(unexpected)}")
        if felt not in statuses:
            problems.append(f"no gateway was answered {felt}: nobody felt the fault")
        if slowest > ANSWER_SECONDS:
            problems.append(f"a gateway waited {slowest:.1f} s for an answer")
        self._write_row(books, twice, statuses, slowest, passed=not problems)
        assert not problems, "; ".join(problems)
        return books

    def close(self) -> None:
        """End the gateways that are left, and what was asked."""
        for gateway, _ in self._gateways:
            gateway.close()
        self._sink.close()

    async def _finish(self, gateway: Process) -> dict[str, Any]:
        await self.finished(gateway)
        gateway.close()  # what it told has all been read then
        return _last(gateway, "gateway.sent") or {}

    async def _progress_until(self, condition: Callable[[], bool]) -> None:
        """Wait while anything is accepted or arrives; fail when all of it stands still for long."""
        stall = Stall()
        while not condition():
            for gateway, _ in self._gateways:
                assert gateway.exit_code in {None, 0}, gateway.log
            progress = (self._count_accepted(), self._sink.arrived_total())
            assert not stall.lasts(progress, STALL_SECONDS), f"nothing moves any more; {progress} accepted and arrived"
            await asyncio.sleep(POLL_SECONDS)

    async def _settle(self, dead: int) -> None:
        """Wait until nothing is missing, or until nothing more comes."""
        accepted = self._count_accepted()
        stall = Stall()
        while True:
            distinct = self._sink.arrived_distinct()
            has_stalled = stall.lasts(distinct, STALL_SECONDS)
            # The list of dead letters is a process: it is asked for when it may be complete, not every moment.
            if distinct + dead >= accepted or has_stalled:
                if has_stalled or not self._read_books().lost:
                    return
                await asyncio.sleep(1)
            await asyncio.sleep(POLL_SECONDS)

    async def _wait_until_quiet(self) -> None:
        stall = Stall()
        while not stall.lasts(self._sink.arrived_total(), QUIET_SECONDS):  # noqa: ASYNC110 - nothing tells of silence
            await asyncio.sleep(POLL_SECONDS)

    def _find_recovery(self) -> float | None:
        """Give the longest time without an arrival after a cause had ended, and before there was another one."""
        silences = []
        for (began, seconds), (before, _) in pairwise([*self._ended, (time.monotonic(), 0.0)]):
            silence = self._sink.longest_silence(began, before)
            silences.append(seconds if silence is None else silence)
        return round(max(silences), 2) if silences else None

    def _is_through(self) -> bool:
        """Whether nothing is left that could arrive."""
        has_sent = all(gateway.exit_code is not None for gateway, _ in self._gateways)
        return has_sent and self._sink.arrived_distinct() >= self._count_accepted()

    def _count_accepted(self) -> int:
        return sum((_last(gateway, "gateway.sending") or {"accepted": 0})["accepted"] for gateway, _ in self._gateways)

    def _read_books(self) -> Books:
        accepted: dict[str, str] = {}
        unsure: list[str] = []
        for _, path in self._gateways:
            answers = json.loads(path.read_bytes())
            accepted.update(answers["accepted"])
            unsure.extend(answers["unsure"])
        return Books(accepted, unsure, self._sink.arrived_marks(), self._sink.dead_marks())

    def _write_row(
        self,
        books: Books,
        twice: Explanation,
        statuses: Mapping[str, int],
        slowest: float,
        *,
        passed: bool,
    ) -> None:
        row = Row(
            place=self._place,
            cell=self._name,
            passed=passed,
            accepted=len(books.accepted),
            delivered=len(books.delivered),
            dead=dict(Counter(books.dead.values())),
            lost=len(books.lost),
            duplicates=books.duplicates,
            explained=twice.why if books.duplicates else "",
            recovered=self._find_recovery(),
            answers=dict(statuses),
            slowest_answer=round(slowest, 3),
            lost_connections=self._sink.lost_connections(),
            broker=self._broker,
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            seed=SEED,
            note=self.note,
        )
        ROWS.parent.mkdir(exist_ok=True)
        with ROWS.open("a") as rows:
            rows.write(f"{json.dumps(asdict(row))}\n")


class Stall:
    """Tells for how long something has not changed."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = time.monotonic()

    def lasts(self, value: object, seconds: float) -> bool:
        """Whether it has had this value for longer than ``seconds``."""
        if value != self._seen:
            self._seen, self._since = value, time.monotonic()
        return time.monotonic() - self._since > seconds


def find_problems(books: Books, dead: Mapping[str, int], twice: Explanation) -> list[str]:
    """Say which promises are broken."""
    died = Counter(books.dead.values())
    found = {
        f"{len(books.lost)} lost, {sorted(books.lost)[:5]} among them": books.lost,
        f"dead: {dict(died)} in place of {dict(dead)}": died != Counter(dead),
        f"{books.duplicates} came twice; {twice.at_most} are explained": books.duplicates > twice.at_most,
        f"{len(books.renamed)} came under another id, such as {list(books.renamed.items())[:3]}": books.renamed,
        f"{len(books.unasked)} are there that nobody accepted": books.unasked,
        "some are delivered and dead": books.delivered.keys() & books.dead.keys(),
    }
    return [problem for problem, is_there in found.items() if is_there]


def _write_flag(name: str, value: object) -> list[str]:
    return [f"--{name}"] if value is True else [f"--{name}", str(value)]


def _last(process: Process, event: str) -> dict[str, Any] | None:
    return next((line for line in reversed(process.lines) if line.get("event") == event), None)
