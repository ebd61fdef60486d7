"""The counters of running processes, from their ``/metrics``, and what they come to between two readings."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families

from cli.balance import NOTHING, Account, Span

ANSWER_SECONDS = 5.0
"""For one process to give its counters."""

STARTED = "sluice_process_start_time_seconds"

COUNTED = {
    "sluice_uplinks_accepted_total": "accepted",
    "sluice_uplinks_delivered_total": "delivered",
    "sluice_uplinks_set_aside_total": "set_aside",
    "sluice_uplinks_dead_total": "dead",
    "sluice_uplinks_redelivered_total": "redelivered",
    "sluice_uplinks_unconfirmed_total": "unconfirmed",
    "sluice_uplinks_unsettled": "unsettled",
}
"""Samples that an audit adds up, over their labels, and the fields that hold the sums."""

SNAPSHOT_VERSION = 1


class UnknownError(Exception):
    """A figure that an audit needs cannot be had; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What one process has counted since ``started``, Unix time in seconds, which also tells it from all others."""

    url: str
    started: float
    accepted: int = 0
    delivered: int = 0
    set_aside: int = 0
    dead: int = 0
    redelivered: int = 0
    unconfirmed: int = 0
    unsettled: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counters of all processes, and the messages that waited in the queue, at one moment."""

    at: datetime
    processes: tuple[Counters, ...]
    messages: int

    def hold(self, most_uplinks: int) -> Span:
        """Say how many uplinks the queue held; a message has ``most_uplinks`` at most, and a probe has none."""
        unsettled = sum(process.unsettled for process in self.processes)
        return Span(unsettled, unsettled + self.messages * most_uplinks)


async def read_counters(client: httpx.AsyncClient, urls: Sequence[str]) -> tuple[Counters, ...]:
    """Read every process once, also one that answers at several URLs. Raises :class:`UnknownError`."""
    found = await asyncio.gather(*(_read_process(client, url) for url in urls))
    return tuple({process.started: process for process in found}.values())


def parse_counters(url: str, text: str) -> Counters:
    """Add up what the text of a ``/metrics`` counts. Raises :class:`UnknownError` where it is not Sluice's."""
    sums: dict[str, float] = {}
    try:
        samples = chain.from_iterable(family.samples for family in text_string_to_metric_families(text))
        for sample in samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    except ValueError as error:
        raise UnknownError(f"{url} does not answer with metrics: {error}") from error
    if STARTED not in sums:
        raise UnknownError(f"{url} has no {STARTED}: it is not the /metrics of a Sluice that can be audited")
    counts = {field: int(sums.get(name, 0)) for name, field in COUNTED.items()}
    return Counters(url, sums[STARTED], **counts)


def compare(before: Snapshot | None, now: Snapshot, *, replayed: int, most_uplinks: int) -> Account:
    """Give what came and went since ``before``, or else since the processes started.

    Raises :class:`UnknownError` when the processes are not the same ones: what those had counted that are gone, or that
    came and went in between, nobody knows.
    """
    if before is not None:
        _refuse_others(before, now)
    grown = _sum_growth(() if before is None else before.processes, now.processes)
    return Account(
        accepted=grown["accepted"],
        replayed=replayed,
        delivered=grown["delivered"],
        set_aside=grown["set_aside"],
        dead=grown["dead"],
        in_queue=now.hold(most_uplinks),
        held_before=NOTHING if before is None else before.hold(most_uplinks),
        repeated=grown["redelivered"] + grown["unconfirmed"],
    )


def save_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot; raises :class:`UnknownError` when the file cannot be written."""
    document = {"version": SNAPSHOT_VERSION, **asdict(snapshot)}
    try:
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise UnknownError(f"the snapshot cannot be written: {error}") from error


def load_snapshot(path: Path) -> Snapshot:
    """Read what :func:`save_snapshot` wrote; raises :class:`UnknownError` for anything else."""
    try:
        document: dict[str, Any] = orjson.loads(path.read_bytes())
        if document["version"] != SNAPSHOT_VERSION:
            raise ValueError(f"version {document['version']}")  # noqa: TRY301 - the same as any other misfit
        processes = tuple(Counters(**process) for process in document["processes"])
        return Snapshot(datetime.fromisoformat(document["at"]).astimezone(UTC), processes, int(document["messages"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UnknownError(f"{path} is no snapshot that `sluice audit --save` wrote: {error}") from error


async def _read_process(client: httpx.AsyncClient, url: str) -> Counters:
    shown = _hide_password(url)
    try:
        response = await client.get(url, timeout=ANSWER_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnknownError(f"{shown} cannot be read: {str(error) or type(error).__name__}") from error
    if response.status_code != httpx.codes.OK:
        raise UnknownError(f"{shown} answers {response.status_code}, and not with metrics")
    return parse_counters(shown, response.text)


def _hide_password(url: str) -> str:
    scheme, found, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{found}{host.rpartition('@')[2]}{slash}{path}"


def _refuse_others(before: Snapshot, now: Snapshot) -> None:
    known = {process.started for process in before.processes}
    present = {process.started for process in now.processes}
    if gone := [process.url for process in before.processes if process.started not in present]:
        raise UnknownError(
            f"restarted since the snapshot, or not named now: {', '.join(gone)}; what it had counted is gone with it"
        )
    if new := [process.url for process in now.processes if process.started not in known]:
        raise UnknownError(f"not in the snapshot: {', '.join(new)}; save another one when all processes run")


def _sum_growth(before: Iterable[Counters], now: Iterable[Counters]) -> dict[str, int]:
    return {
        field: sum(getattr(process, field) for process in now) - sum(getattr(process, field) for process in before)
        for field in COUNTED.values()
    }
