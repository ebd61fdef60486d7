"""Dead letters: by reason and key, one with its story, the remedy and its key's map, replayed or let go.

For administrators.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import orjson
from cachetools import LRUCache
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common.dead_letter import DeadLetter
from common.dead_replay import Replayer, purge
from common.directory.model import Directory
from common.letter_selection import pick_letters
from common.queue.protocol import Queue, QueueUnavailableError
from console.jobs import Advance, Job, Jobs
from console.letters import (
    PAGE_LETTERS,
    Chosen,
    LetterFilter,
    choose_letters,
    key_of,
    read_filter,
    tell_story,
    write_toml_line,
)
from console.refusal import RefusedError, not_found
from console.registry_api import RegistryAwayError
from console.testing_keys import ExplainBody, Sample
from console.things import KEYS, NETWORKS, name_known
from console.visit import Handle, Reception, Visit

RATE: Final = 50
"""Uplinks a second: 3,000 a minute, which leaves room beside them within the limits of TagoIO's plans."""

MOST_RATE: Final = 10_000

IN_FORCE_SECONDS = 5.0
"""After a map was saved every worker goes by it: they look at the directory every 2 s, and one answer may be lost."""

OPENED_LETTERS: Final = 20
"""Letters at hand to try a map on while it is typed: to find one, the whole list is read."""

FindDirectory: TypeAlias = Callable[[], Awaitable[Directory | None]]
"""Gives the directory as it is today; None where it cannot be read."""


class DeadLetterRoutes:
    """The pages of dead letters. ``directory_file`` has the keys' maps where there is no registry."""

    def __init__(
        self,
        reception: Reception,
        queue: Queue,
        jobs: Jobs,
        *,
        find_directory: FindDirectory,
        explain: ExplainBody,
        directory_file: str | None,
    ) -> None:
        self._reception = reception
        self._queue = queue
        self._jobs = jobs
        self._find_directory = find_directory
        self._explain = explain
        self._directory_file = directory_file
        self._opened: LRUCache[str, DeadLetter] = LRUCache(OPENED_LETTERS)
        self._in_force = 0.0

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""

        def route(path: str, handle: Handle, method: str = "GET") -> Route:
            return Route(path, self._reception.admit_administrator(_with_queue(handle)), methods=[method])

        return [
            route("/dead", self._list),
            route("/dead/replay", partial(self._ask, "replay")),
            route("/dead/replay", self._replay, "POST"),
            route("/dead/purge", partial(self._ask, "purge")),
            route("/dead/purge", self._purge, "POST"),
            route("/dead/jobs/{job}", self._show_job),
            route("/dead/jobs/{job}/progress", self._tell_progress),
            route("/dead/letters/{uplink:path}/map", self._save_map, "POST"),
            route("/dead/letters/{uplink:path}", self._show),
            route("/dead/letters/{uplink:path}", self._test, "POST"),
        ]

    async def _list(self, visit: Visit) -> Response:
        wanted, page = read_filter(visit.request.query_params), _read_page(visit)
        chosen = await choose_letters(self._queue, wanted, await self._find_directory(), page=page)
        return visit.render(
            "dead_letters.html",
            chosen=chosen,
            counts=_tabulate(chosen),
            names=await name_known(visit, KEYS),
            wanted=wanted,
            page=page,
            more=chosen.total > page * PAGE_LETTERS,
            turn=lambda by: f"/dead?{urlencode({**wanted.parameters, 'page': page + by})}",
        )

    async def _show(self, visit: Visit) -> Response:
        letter = await self._find(visit.path("uplink"))
        return await self._render(visit, letter)

    async def _test(self, visit: Visit) -> Response:
        """Say what would become of the letter's uplink today, by the map of the form, which need not be saved."""
        letter = self._opened.get(visit.path("uplink")) or await self._find(visit.path("uplink"))
        return await self._render(visit, letter, tried=visit.form.text("verification_code"))

    async def _save_map(self, visit: Visit) -> Response:
        """Give the letter's key the map of the form, if whoever is signed in may."""
        letter, field_map = await self._find(visit.path("uplink")), visit.form.text("verification_code")
        try:
            key = await visit.api.get(KEYS.at(key_of(letter)))
            await visit.api.change(KEYS.at(key["id"]), {"verification_code": field_map})
        except RefusedError as refused:
            return await self._render(visit, letter, refused.status, tried=field_map, fault=refused.message)
        self._in_force = asyncio.get_running_loop().time() + IN_FORCE_SECONDS
        said = f"The map of the key {key['name']} was saved. Every worker goes by it within {IN_FORCE_SECONDS:g} s, and"
        return visit.redirect(f"/dead/letters/{quote(letter.uplink_id)}", f"{said} a replay waits for that")

    async def _render(
        self, visit: Visit, letter: DeadLetter, status: int = 200, *, tried: str | None = None, fault: str = ""
    ) -> Response:
        directory, keeping = await self._find_directory(), await self._find_keeping(visit, letter)
        story = tell_story(letter, directory)
        if tried is None:
            tried = keeping.field_map if keeping.field_map is not None else story["field_map"]
        return visit.render(
            "dead_letter.html",
            status,
            **story,
            keeping=keeping,
            rate=RATE,
            tried=tried,
            toml=write_toml_line(key_of(letter), tried),
            test=None if story["item"] is None else await self._explain(_make_sample(story, directory, tried)),
            names=await name_known(visit, KEYS) | await name_known(visit, NETWORKS),
            faults={"verification_code": fault} if fault else {},
        )

    async def _find_keeping(self, visit: Visit, letter: DeadLetter) -> "Keeping":
        """Find out where the map of the letter's key is kept, and whether whoever is signed in may change it."""
        if self._directory_file is not None or letter.envelope is None:
            return Keeping()
        try:
            key = await visit.api.get(KEYS.at(key_of(letter)))
        except RegistryAwayError as away:
            return Keeping(why_not=away.message)
        except RefusedError:
            return Keeping(why_not="Your profile has no such key; the profile that has it can save a map for it")
        return Keeping(key["name"], key["verification_code"])

    async def _ask(self, verb: str, visit: Visit) -> Response:
        """Say how many it would be, before anything is done."""
        wanted = read_filter(visit.request.query_params)
        chosen = await choose_letters(self._queue, wanted, await self._find_directory(), skip_cut=verb == "replay")
        return visit.render(
            "dead_confirm.html",
            verb=verb,
            chosen=chosen,
            counts=_tabulate(chosen),
            names=await name_known(visit, KEYS),
            wanted=wanted,
            rate=RATE,
            until=datetime.now(UTC).isoformat(),
        )

    async def _replay(self, visit: Visit) -> Response:
        wanted, rate = _read_form(visit), _read_rate(visit)
        chosen = await choose_letters(self._queue, wanted, await self._find_directory(), skip_cut=True)

        async def work(advance: Advance) -> None:
            await asyncio.sleep(self._in_force - asyncio.get_running_loop().time())
            replayer = Replayer(self._queue, rate=rate, on_progress=advance)
            async with aclosing(pick_letters(self._queue, chosen.letter_ids)) as letters:
                await replayer.replay(letters)

        return self._start(visit, "replayed", chosen, work)

    async def _purge(self, visit: Visit) -> Response:
        wanted = _read_form(visit)
        if not visit.form.checked("sure"):
            raise RefusedError(400, "Nothing was purged: tick the box to say that you are sure")
        chosen = await choose_letters(self._queue, wanted, await self._find_directory())

        async def work(advance: Advance) -> None:
            await purge(self._queue, chosen.letter_ids, on_progress=advance)

        return self._start(visit, "purged", chosen, work)

    def _start(self, visit: Visit, verb: str, chosen: Chosen, work: Callable[[Advance], Awaitable[None]]) -> Response:
        if not chosen.letter_ids:
            return visit.redirect("/dead", f"Nothing was {verb}: no letter fits any longer")
        job = self._jobs.start(verb, len(chosen.letter_ids), work)
        return visit.redirect(f"/dead/jobs/{job.id}")

    async def _show_job(self, visit: Visit) -> Response:
        return visit.render("dead_job.html", job=self._jobs.find(visit.path("job")))

    async def _tell_progress(self, visit: Visit) -> Response:
        job = self._jobs.find(visit.path("job"))
        return JSONResponse({"done": job.done, "total": job.total, "over": job.over, "text": describe(job)})

    async def _find(self, uplink_id: str) -> DeadLetter:
        chosen = await choose_letters(self._queue, LetterFilter(uplink_id=uplink_id), None)
        if not chosen.shown:
            raise not_found("Dead letter")
        self._opened[uplink_id] = chosen.shown[0]
        return chosen.shown[0]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What may be done about the map of a letter's key in the registry: its name and its map, else why nothing may."""

    key_name: str | None = None
    field_map: str | None = None
    why_not: str | None = None


def describe(job: Job) -> str:
    """Say how far a job has come."""
    text = f"{job.done:,} of {job.total:,} were {job.verb}"
    if job.fault is not None:
        return f"{text}. It ended there: {job.fault}"
    return f"{text}. It is over" if job.over else text


def _with_queue(handle: Handle) -> Handle:
    """Say that the queue is away, where it is."""

    async def handle_with_queue(visit: Visit) -> Response:
        try:
            return await handle(visit)
        except QueueUnavailableError as error:
            raise RefusedError(503, f"The queue does not answer: {error}") from error

    return handle_with_queue


def _make_sample(story: dict[str, Any], directory: Directory | None, field_map: str) -> Sample:
    network = None if directory is None or story["network"] is None else directory.network(story["network"])
    return Sample(
        body=orjson.dumps(story["item"]).decode(),
        query=urlencode(story["query"]),
        field_map=field_map,
        mask=None if network is None else network.serial.format,
        case=None if network is None else network.serial.force_case,
    )


def _tabulate(chosen: Chosen) -> list[tuple[str, str, int]]:
    """Give reason, key and count, the most frequent first."""
    return [
        (reason, key, count)
        for (reason, key), count in sorted(chosen.counts.items(), key=lambda each: (-each[1], each[0]))
    ]


def _read_form(visit: Visit) -> LetterFilter:
    names = ("reason", "key", "network", "serial", "uplink_id", "until")
    return read_filter({name: visit.form.text(name) for name in names})


def _read_rate(visit: Visit) -> int:
    text = visit.form.text("rate")
    if not (text.isdecimal() and 0 < int(text) <= MOST_RATE):
        raise RefusedError(400, f"Uplinks a second must be a whole number from 1 to {MOST_RATE:,}")
    return int(text)


def _read_page(visit: Visit) -> int:
    text = visit.query("page")
    return int(text) if text.isdecimal() and 0 < int(text) < MOST_RATE else 1
