"""Authorization keys, which TagoIO's API calls service authorizations."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import CREATED, LISTING_QUERY, REMOVED, UPDATED, Caller
from registry.documents import write_key
from registry.entries import KeyChanges, NewKey
from registry.keys import Keys
from registry.operations import Operation
from registry.request import read_document

KEYS = "/serviceauth"
KEY = f"{KEYS}/{{token}}"


NO_NETWORK = "The profile has not exactly one network: until the key is given one, no ingest takes it"


class KeyRoutes:
    """What profiles do with their authorization keys. A key is named by its token, or by its id."""

    def __init__(self, caller: Caller, keys: Keys) -> None:
        self._caller = caller
        self._keys = keys

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        return [
            Operation("GET", KEYS, self._list, "List the authorization keys", query=LISTING_QUERY),
            Operation("POST", KEYS, self._create, "Create an authorization key", body=NewKey, status=CREATED),
            Operation("GET", KEY, self._show, "Show an authorization key"),
            Operation("PUT", KEY, self._change, "Change an authorization key", body=KeyChanges),
            Operation("DELETE", KEY, self._remove, "Remove an authorization key"),
        ]

    async def _list(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        return answer([listing.pick(write_key(key)) for key in await self._keys.list_for(profile.id, listing)])

    async def _create(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        key = await self._keys.create(profile.id, await read_document(request, NewKey))
        created = {**write_key(key), "additional_parameters": key.additional_parameters}
        return answer(created if key.network_id else {**created, "message": NO_NETWORK}, CREATED)

    async def _show(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        return answer(write_key(await self._keys.describe(profile.id, request.path_params["token"])))

    async def _change(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._keys.change(profile.id, request.path_params["token"], await read_document(request, KeyChanges))
        return answer(UPDATED)

    async def _remove(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._keys.remove(profile.id, request.path_params["token"])
        return answer(REMOVED)
