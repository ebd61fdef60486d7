"""Who calls: the profile whose token a request brings."""

from starlette.requests import Request

from registry.entries import ProfileEntry
from registry.listing import Listing, parse_listing
from registry.parameters import parse_parameters
from registry.profiles import Profiles
from registry.request import read_token

LISTING_QUERY = ("page", "amount", "orderBy", "fields", "filter")
"""What a list may be asked for."""

CREATED = 201
UPDATED = "Successfully Updated"
REMOVED = "Successfully Removed"


class Caller:
    """Finds the profile that a request comes from."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    async def profile(self, request: Request) -> ProfileEntry:
        """Give the profile. Raises :class:`registry.refusal.RefusedError` (401)."""
        return await self._profiles.authenticate(read_token(request))

    async def listing(self, request: Request) -> tuple[ProfileEntry, Listing]:
        """Give the profile, and which part of a list it asks for. Raises RefusedError (401, 400)."""
        profile = await self.profile(request)
        return profile, parse_listing(parse_parameters(request.scope["query_string"]))
