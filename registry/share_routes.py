"""Sharing: the part of the API that networks and connectors have alike."""

from collections.abc import Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import REMOVED, UPDATED, Caller
from registry.entries import NewShare
from registry.operations import Operation
from registry.request import read_document, read_id


class Shared(Protocol):
    """Things that a profile shares with others; each method raises :class:`registry.refusal.RefusedError`."""

    async def share(self, profile_id: str, row_id: str, other_id: str, /) -> None:
        """Let another profile use one of them."""

    async def withdraw(self, profile_id: str, row_id: str, other_id: str, /) -> None:
        """End a share."""

    async def list_shares(self, profile_id: str, row_id: str, /) -> list[dict[str, str]]:
        """Give the profiles that one of them is shared with."""


class ShareRoutes:
    """What owners do with the shares of their things. ``what`` names one of them, in the path and to people."""

    def __init__(self, caller: Caller, shared: Shared, things: str, what: str) -> None:
        self._caller = caller
        self._shared = shared
        self._path = f"{things}/{{{what}}}/share"
        self._what = what

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        what = self._what
        return [
            Operation("GET", self._path, self._list, f"List the profiles that a {what} is shared with"),
            Operation("POST", self._path, self._share, f"Share a {what} with a profile", body=NewShare),
            Operation("DELETE", f"{self._path}/{{profile}}", self._withdraw, "End a share"),
        ]

    async def _list(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        return answer(await self._shared.list_shares(profile.id, read_id(request, self._what)))

    async def _share(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        new = await read_document(request, NewShare)
        await self._shared.share(profile.id, read_id(request, self._what), new.profile)
        return answer(UPDATED)

    async def _withdraw(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._shared.withdraw(profile.id, read_id(request, self._what), read_id(request, "profile"))
        return answer(REMOVED)
