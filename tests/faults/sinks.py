"""Where the uplinks of a cell end, seen from outside."""

import math
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.support.system import System

COUNT_SECONDS = 1.0
ANSWER_SECONDS = 60.0
"""The marks of 200,000 uplinks are some 10 MB."""


class StubSink:
    """The stub downstream of a system, and its list of dead letters."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._client = httpx.Client(base_url=system.stub_url, timeout=ANSWER_SECONDS)

    def arrived_total(self) -> int:
        return self._count("uplinks")

    def arrived_distinct(self) -> int:
        return self._count("distinct")

    def arrived_marks(self) -> Mapping[str, Sequence[str]]:
        marks: dict[str, list[str]] = self._client.get("/arrived/marks").json()
        return marks

    def longest_silence(self, after: float, before: float) -> float | None:
        answer = self._client.get("/arrived/silence", params={"after": after, "before": before})
        return float(answer.json()["seconds"])

    def dead_marks(self) -> Mapping[str, str]:
        # A letter of a frame that nobody could read has no envelope, and what the demo sends has no mark.
        letters = [letter for letter in self._system.dead_letters() if letter["envelope"]]
        dead = [(item, letter["reason"]) for letter in letters for _, item in letter["envelope"]["items"]]
        return {item["mark"]: reason for item, reason in dead if "mark" in item}

    def lost_connections(self) -> list[str]:
        lines = [line for process in self._system.processes for line in process.lines]
        return [str(line["why"]) for line in lines if line.get("event") == "queue.lost"]

    def close(self) -> None:
        self._client.close()

    def _count(self, name: str) -> int:
        return int(self._client.get("/arrived").json()[name])


class RegistrySink:
    """The database of a registry: what it stored of each mark, and under which group."""

    def __init__(self, database: Path, system: System) -> None:
        self._database = database
        self._counted_at = -math.inf
        self._counts = (0, 0)
        self._dead = StubSink(system)

    def arrived_total(self) -> int:
        return self._count()[0]

    def arrived_distinct(self) -> int:
        return self._count()[1]

    def arrived_marks(self) -> Mapping[str, Sequence[str]]:
        marks: dict[str, list[str]] = {}
        for mark, group in self._query("""SELECT value, "group" FROM records WHERE variable = 'mark'"""):
            marks.setdefault(str(mark).strip('"'), []).append(str(group))
        return marks

    def longest_silence(self, after: float, before: float) -> float | None:  # noqa: ARG002 - it keeps no moments
        return None

    def dead_marks(self) -> Mapping[str, str]:
        return self._dead.dead_marks()

    def lost_connections(self) -> list[str]:
        return self._dead.lost_connections()

    def close(self) -> None:
        self._dead.close()

    def _count(self) -> tuple[int, int]:
        """Count once a second at most: it reads the whole table."""
        if time.monotonic() - self._counted_at > COUNT_SECONDS:
            ((total, distinct),) = self._query(
                "SELECT count(*), count(DISTINCT value) FROM records WHERE variable = 'mark'"
            )
            self._counted_at, self._counts = time.monotonic(), (total, distinct)
        return self._counts

    def _query(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
