"""Networks, their tokens, and with whom they are shared."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import CREATED, LISTING_QUERY, REMOVED, UPDATED, Caller
from registry.documents import write_network, write_token
from registry.entries import NetworkChanges, NewNetwork, NewNetworkToken
from registry.networks import Networks
from registry.operations import Operation
from registry.request import read_document, read_id
from registry.share_routes import ShareRoutes

NETWORKS = "/integration/network"
NETWORK = f"{NETWORKS}/{{network}}"
TOKENS = f"{NETWORKS}/token"

USELESS_TOKEN = "The network has no serial number: until it is given one, its tokens find no device"  # noqa: S105 - says that there is none


class NetworkRoutes:
    """What profiles do with networks."""

    def __init__(self, caller: Caller, networks: Networks) -> None:
        self._caller = caller
        self._networks = networks

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        return [
            Operation("GET", NETWORKS, self._list, "List the networks that may be used", query=LISTING_QUERY),
            Operation("POST", NETWORKS, self._create, "Create a network", body=NewNetwork, status=CREATED),
            Operation(
                "POST", TOKENS, self._create_token, "Create a network token", body=NewNetworkToken, status=CREATED
            ),
            # One path for two things: the official clients list by network, and remove by token.
            Operation(
                "GET", f"{TOKENS}/{{reference}}", self._list_tokens, "List a network's tokens", query=LISTING_QUERY
            ),
            Operation("DELETE", f"{TOKENS}/{{reference}}", self._remove_token, "Remove a network token"),
            Operation("GET", NETWORK, self._show, "Show a network", query=("fields",)),
            Operation("PUT", NETWORK, self._change, "Change a network", body=NetworkChanges),
            Operation("DELETE", NETWORK, self._remove, "Remove a network that nothing uses"),
            *ShareRoutes(self._caller, self._networks, NETWORKS, "network").operations,
        ]

    async def _list(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        networks = await self._networks.list_for(profile.id, listing)
        return answer([listing.pick(write_network(network, profile.id)) for network in networks])

    async def _create(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        new = await read_document(request, NewNetwork)
        network = await self._networks.create(profile.id, new, administrator=profile.administrator)
        return answer({"network": network.id}, CREATED)

    async def _show(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        network = await self._networks.describe(profile.id, read_id(request, "network"))
        return answer(listing.pick(write_network(network, profile.id)))

    async def _change(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        changes = await read_document(request, NetworkChanges)
        await self._networks.change(profile, read_id(request, "network"), changes)
        return answer(UPDATED)

    async def _remove(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._networks.remove(profile.id, read_id(request, "network"))
        return answer(REMOVED)

    async def _create_token(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        network, token = await self._networks.add_token(profile.id, await read_document(request, NewNetworkToken))
        created = {**write_token(token), "network": network.id}
        return answer(created if network.serial_number else {**created, "message": USELESS_TOKEN}, CREATED)

    async def _list_tokens(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        tokens = await self._networks.list_tokens(profile.id, read_id(request, "reference"), listing)
        return answer([listing.pick(write_token(token)) for token in tokens])

    async def _remove_token(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._networks.remove_token(profile.id, request.path_params["reference"])
        return answer(REMOVED)
