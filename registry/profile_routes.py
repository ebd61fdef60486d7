"""Profiles: an administrator's profile creates the others, and each has its own name and token changed."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import CREATED, LISTING_QUERY, REMOVED, UPDATED, Caller
from registry.documents import write_profile
from registry.entries import NewProfile
from registry.operations import Operation
from registry.profiles import Profiles
from registry.request import read_document, read_id

PROFILES = "/profile"
PROFILE = f"{PROFILES}/{{profile}}"


class ProfileRoutes:
    """What profiles do with profiles."""

    def __init__(self, caller: Caller, profiles: Profiles) -> None:
        self._caller = caller
        self._profiles = profiles

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        return [
            Operation("GET", PROFILES, self._list, "List profiles", query=LISTING_QUERY),
            Operation("POST", PROFILES, self._create, "Create a profile", body=NewProfile, status=CREATED),
            Operation("GET", f"{PROFILES}/current", self._show_own, "Show the profile whose token this is"),
            Operation("GET", PROFILE, self._show, "Show a profile"),
            Operation("PUT", PROFILE, self._rename, "Rename a profile", body=NewProfile),
            Operation("DELETE", PROFILE, self._remove, "Remove a profile that has nothing any more"),
            Operation("POST", f"{PROFILE}/token", self._renew_token, "Renew a profile's token", status=CREATED),
        ]

    async def _list(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        return answer([listing.pick(write_profile(found)) for found in await self._profiles.list_for(profile, listing)])

    async def _create(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        new = await read_document(request, NewProfile)
        created, token = await self._profiles.create(profile, new.name)
        return answer({**write_profile(created), "token": token.get_secret_value()}, CREATED)

    async def _show_own(self, request: Request) -> Response:
        return answer(write_profile(await self._caller.profile(request)))

    async def _show(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        return answer(write_profile(await self._profiles.describe(profile, read_id(request, "profile"))))

    async def _rename(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        new = await read_document(request, NewProfile)
        await self._profiles.rename(profile, read_id(request, "profile"), new.name)
        return answer(UPDATED)

    async def _remove(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._profiles.remove(profile, read_id(request, "profile"))
        return answer(REMOVED)

    async def _renew_token(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        token = await self._profiles.renew_token(profile, read_id(request, "profile"))
        return answer({"token": token.get_secret_value()}, CREATED)
