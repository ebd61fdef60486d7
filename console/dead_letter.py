"""One dead letter: its story, the remedy, and the map of its key, tried on it and saved. For administrators."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from cachetools import LRUCache
from starlette.responses import Response
from starlette.routing import Route

from common.dead_letter import DeadLetter
from common.dead_replay import REPLAY_RATE
from common.directory.model import Directory
from common.letter_selection import LetterQuery, LetterSelection
from common.queue.protocol import Queue
from console.letters import FindDirectory, tell_story, write_toml_line
from console.refusal import RefusedError, not_found
from console.registry_api import RegistryAwayError
from console.saved_maps import IN_FORCE_SECONDS, SavedMaps
from console.testing_keys import ExplainBody, Sample
from console.things import KEYS, NETWORKS, name_known
from console.visit import Reception, Visit

OPENED_LETTERS: Final = 20
"""Letters at hand to try a map on while it is typed: to find one, the whole list is read."""


class LetterRoutes:
    """The page of a letter. ``directory_file`` has the keys' maps where there is no registry."""

    def __init__(
        self,
        reception: Reception,
        queue: Queue,
        saved_maps: SavedMaps,
        *,
        find_directory: FindDirectory,
        explain: ExplainBody,
        directory_file: str | None,
    ) -> None:
        self._reception = reception
        self._queue = queue
        self._saved_maps = saved_maps
        self._find_directory = find_directory
        self._explain = explain
        self._directory_file = directory_file
        self._opened: LRUCache[str, DeadLetter] = LRUCache(OPENED_LETTERS)

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        path, admit = "/dead/letters/{uplink:path}", self._reception.admit_administrator
        return [
            Route(f"{path}/map", admit(self._save_map), methods=["POST"]),
            Route(path, admit(self._show), methods=["GET"]),
            Route(path, admit(self._test), methods=["POST"]),
        ]

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
            key = await visit.api.get(KEYS.at(letter.key_id))
            await visit.api.change(KEYS.at(key["id"]), {"verification_code": field_map})
        except RefusedError as refused:
            return await self._render(visit, letter, refused.status, tried=field_map, fault=refused.message)
        self._saved_maps.note()
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
            rate=REPLAY_RATE,
            tried=tried,
            toml=write_toml_line(letter.key_id, tried),
            test=None if story["item"] is None else await self._explain(_make_sample(story, directory, tried)),
            names=await name_known(visit, KEYS) | await name_known(visit, NETWORKS),
            faults={"verification_code": fault} if fault else {},
        )

    async def _find_keeping(self, visit: Visit, letter: DeadLetter) -> "Keeping":
        """Find out where the map of the letter's key is kept, and whether whoever is signed in may change it."""
        if self._directory_file is not None or letter.envelope is None:
            return Keeping()
        try:
            key = await visit.api.get(KEYS.at(letter.key_id))
        except RegistryAwayError as away:
            return Keeping(why_not=away.message)
        except RefusedError:
            return Keeping(why_not="Your profile has no such key; the profile that has it can save a map for it")
        return Keeping(key["name"], key["verification_code"])

    async def _find(self, uplink_id: str) -> DeadLetter:
        selection = LetterSelection(query=LetterQuery(uplink_ids=frozenset({uplink_id})), directory=None)
        found = await selection.choose_page(self._queue, 1)
        if not found:
            raise not_found("Dead letter")
        self._opened[uplink_id] = found[0]
        return found[0]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What may be done about the map of a letter's key in the registry: its name and its map, else why nothing may."""

    key_name: str | None = None
    field_map: str | None = None
    why_not: str | None = None


def _make_sample(story: dict[str, Any], directory: Directory | None, field_map: str) -> Sample:
    network = None if directory is None or story["network"] is None else directory.network(story["network"])
    return Sample(
        body=orjson.dumps(story["item"]).decode(),
        query=urlencode(story["query"]),
        field_map=field_map,
        mask=None if network is None else network.serial.format,
        case=None if network is None else network.serial.force_case,
    )
