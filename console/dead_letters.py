"""Dead letters: by reason and key, replayed or let go. For administrators."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common.dead_letter import LetterId
from common.dead_replay import REPLAY_RATE, Replayer, purge
from common.letter_selection import LetterSelection, pick_letters
from common.queue.protocol import Queue
from console.jobs import Advance, Job, Jobs
from console.letters import PAGE_LETTERS, FindDirectory, WantedLetters, read_wanted
from console.refusal import RefusedError
from console.saved_maps import SavedMaps
from console.things import KEYS, Listed, name_known, read_page
from console.visit import Handle, Reception, Visit

MOST_RATE: Final = 10_000


class DeadLetterRoutes:
    """The pages of all dead letters. A replay waits until ``saved_maps`` are in force."""

    def __init__(
        self, reception: Reception, queue: Queue, jobs: Jobs, saved_maps: SavedMaps, find_directory: FindDirectory
    ) -> None:
        self._reception = reception
        self._queue = queue
        self._jobs = jobs
        self._saved_maps = saved_maps
        self._find_directory = find_directory

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""

        def route(path: str, handle: Handle, method: str = "GET") -> Route:
            return Route(path, self._reception.admit_administrator(handle), methods=[method])

        return [
            route("/dead", self._list),
            route("/dead/replay", partial(self._ask, "replay")),
            route("/dead/replay", self._replay, "POST"),
            route("/dead/purge", partial(self._ask, "purge")),
            route("/dead/purge", self._purge, "POST"),
            route("/dead/jobs/{job}", self._show_job),
            route("/dead/jobs/{job}/progress", self._tell_progress),
        ]

    async def _list(self, visit: Visit) -> Response:
        wanted, page = read_wanted(visit.request.query_params), read_page(visit)
        selection = await self._select(wanted)
        shown = await selection.choose_page(self._queue, PAGE_LETTERS, page)
        total = selection.counts.total()
        return visit.render(
            "dead_letters.html",
            total=total,
            counts=_tabulate(selection),
            names=await name_known(visit, KEYS),
            wanted=wanted,
            listed=Listed(shown, page, total > page * PAGE_LETTERS, "/dead", wanted.parameters),
        )

    async def _ask(self, verb: str, visit: Visit) -> Response:
        """Say how many it would be, before anything is done."""
        wanted = read_wanted(visit.request.query_params)
        selection = await self._select(wanted, skip_cut=verb == "replay")
        letter_ids = await selection.choose_ids(self._queue)
        return visit.render(
            "dead_confirm.html",
            verb=verb,
            total=len(letter_ids),
            cut=len(selection.cut),
            counts=_tabulate(selection),
            names=await name_known(visit, KEYS),
            wanted=wanted,
            rate=REPLAY_RATE,
            until=datetime.now(UTC).isoformat(),
        )

    async def _replay(self, visit: Visit) -> Response:
        wanted, rate = _read_form(visit), _read_rate(visit)
        selection = await self._select(wanted, skip_cut=True)
        letter_ids = await selection.choose_ids(self._queue)

        async def work(advance: Advance) -> None:
            await self._saved_maps.wait_until_in_force()
            replayer = Replayer(self._queue, rate=rate, on_progress=advance)
            async with aclosing(pick_letters(self._queue, letter_ids)) as letters:
                await replayer.replay(letters)

        return self._start(visit, "replayed", letter_ids, work)

    async def _purge(self, visit: Visit) -> Response:
        wanted = _read_form(visit)
        if not visit.form.checked("sure"):
            raise RefusedError(400, "Nothing was purged: tick the box to say that you are sure")
        selection = await self._select(wanted)
        letter_ids = await selection.choose_ids(self._queue)

        async def work(advance: Advance) -> None:
            await purge(self._queue, letter_ids, on_progress=advance)

        return self._start(visit, "purged", letter_ids, work)

    async def _select(self, wanted: WantedLetters, *, skip_cut: bool = False) -> LetterSelection:
        return LetterSelection(query=wanted, directory=await self._find_directory(), skip_cut=skip_cut)

    def _start(
        self, visit: Visit, verb: str, letter_ids: Collection[LetterId], work: Callable[[Advance], Awaitable[None]]
    ) -> Response:
        if not letter_ids:
            return visit.redirect("/dead", f"Nothing was {verb}: no letter fits any longer")
        job = self._jobs.start(verb, len(letter_ids), work)
        return visit.redirect(f"/dead/jobs/{job.id}")

    async def _show_job(self, visit: Visit) -> Response:
        job = self._jobs.find(visit.path("job"))
        return visit.render("dead_job.html", job=job, text=describe(job))

    async def _tell_progress(self, visit: Visit) -> Response:
        job = self._jobs.find(visit.path("job"))
        return JSONResponse({"done": job.done, "total": job.total, "over": job.over, "text": describe(job)})


def describe(job: Job) -> str:
    """Say how far a job has come."""
    text = f"{job.done:,} of {job.total:,} {job.verb}"
    if job.fault is not None:
        return f"Stopped with {text}: {job.fault}"
    return f"Done: {text}" if job.over else f"So far {text}"


def _tabulate(selection: LetterSelection) -> list[tuple[str, str, int]]:
    """Give reason, key and count, the most frequent first."""
    return [
        (reason, key, count)
        for (reason, key), count in sorted(selection.counts.items(), key=lambda each: (-each[1], each[0]))
    ]


def _read_form(visit: Visit) -> WantedLetters:
    names = ("reason", "key", "network", "serial", "uplink_id", "until")
    return read_wanted({name: visit.form.text(name) for name in names})


def _read_rate(visit: Visit) -> int:
    text = visit.form.text("rate")
    if not (text.isdecimal() and 0 < int(text) <= MOST_RATE):
        raise RefusedError(400, f"Uplinks a second must be a whole number from 1 to {MOST_RATE:,}")
    return int(text)
