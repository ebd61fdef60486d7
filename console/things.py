"""What profiles have, as the console and the registry's API call it, and what is done alike with all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import Response

from common.registry_requests import Document
from console.refusal import RefusedError
from console.visit import Visit

PAGE_ROWS: Final = 50

MOST_CHOICES: Final = 1_000
"""Entries of a drop-down list; who has more names the rest by their ids, over the API."""

MOST_PAGES: Final = 10_000
"""Of a list; who is looking for something that far down searches for it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: what people call one, where its pages are, and where its API is."""

    word: str
    pages: str
    api: str

    def page(self, thing_id: str) -> str:
        """Give the page of one."""
        return f"{self.pages}/{_quote(thing_id)}"

    def at(self, thing_id: str) -> str:
        """Give where the API has one."""
        return f"{self.api}/{_quote(thing_id)}"

    def tokens_of(self, reference: str) -> str:
        """Give where the API lists the tokens of one, by its id, and removes a token, by itself."""
        return f"{self.api}/token/{_quote(reference)}"

    def share_with(self, thing_id: str, profile_id: str) -> str:
        """Give where the API has the share of one with a profile."""
        return f"{self.at(thing_id)}/share/{_quote(profile_id)}"


NETWORKS: Final = Kind("network", "/networks", "/integration/network")
CONNECTORS: Final = Kind("connector", "/connectors", "/integration/connector")
DEVICES: Final = Kind("device", "/devices", "/device")
KEYS: Final = Kind("authorization key", "/keys", "/serviceauth")


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list, from 1, and the parameters that the list was asked for with."""

    rows: Sequence[Any]
    page: int
    more: bool
    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The part of the name that was asked for; empty: any."""
        return self.parameters.get("name", "")

    @property
    def is_filtered(self) -> bool:
        """Whether a name was asked for."""
        return bool(self.name)

    def turn(self, by: int) -> str:
        """Give the address of another page of the same list."""
        return f"{self.url}?{urlencode({**self.parameters, 'page': self.page + by})}"


def read_page(visit: Visit) -> int:
    """Give the page of a list that the query asks for, from 1."""
    text = visit.query("page")
    return int(text) if text.isdecimal() and 0 < int(text) <= MOST_PAGES else 1


async def list_things(visit: Visit, kind: Kind) -> Listed:
    """Give the page of a list that the query asks for: its number, and a part of the name."""
    page, name = read_page(visit), visit.query("name")
    parameters = {"orderBy": "name,asc"} | ({"filter[name]": f"*{name}*"} if name else {})
    rows = await visit.api.get(kind.api, {**parameters, "page": str(page), "amount": str(PAGE_ROWS)})
    more = False
    if len(rows) == PAGE_ROWS:  # whether there is one row behind these
        more = bool(await visit.api.get(kind.api, {**parameters, "page": str(page * PAGE_ROWS + 1), "amount": "1"}))
    return Listed(rows, page, more, kind.pages, {"name": name} if name else {})


async def list_choices(visit: Visit, kind: Kind) -> list[Document]:
    """Give what may be chosen from, by name."""
    choices: list[Document] = await visit.api.get(kind.api, {"amount": str(MOST_CHOICES), "orderBy": "name,asc"})
    return choices


async def name_things(visit: Visit, kind: Kind) -> dict[str, str]:
    """Give the names of things by their ids."""
    return {choice["id"]: choice["name"] for choice in await list_choices(visit, kind)}


async def name_known(visit: Visit, kind: Kind) -> dict[str, str]:
    """Give the names of the profile's own things for a page that can do without: none while the registry is away."""
    try:
        return await name_things(visit, kind)
    except RefusedError:
        return {}


def confirm(visit: Visit, question: str, *, consequence: str, verb: str, back: str) -> Response:
    """Ask before something goes for good; the same address, posted to, does it."""
    return visit.render("confirm.html", question=question, consequence=consequence, verb=verb, back=back)


def owns(visit: Visit, document: Document) -> bool:
    """Whether a thing is the profile's own, and not only shared with it."""
    return bool(document["profile"] == visit.profile.id)


def pick(document: Document, *names: str) -> dict[str, Any]:
    """Give some fields of a document, empty where they are not there."""
    return {name: document.get(name) or "" for name in names}


def _quote(part: str) -> str:
    """Give one part of a path, which what a browser asks for cannot leave."""
    return quote(part, safe="")
