"""Connectors, and with whom they are shared."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import CREATED, LISTING_QUERY, REMOVED, UPDATED, Caller
from registry.connectors import Connectors
from registry.documents import write_connector
from registry.entries import ConnectorChanges, NewConnector
from registry.operations import Operation
from registry.request import read_document, read_id
from registry.share_routes import ShareRoutes

CONNECTORS = "/integration/connector"
CONNECTOR = f"{CONNECTORS}/{{connector}}"


class ConnectorRoutes:
    """What profiles do with connectors."""

    def __init__(self, caller: Caller, connectors: Connectors) -> None:
        self._caller = caller
        self._connectors = connectors

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        return [
            Operation("GET", CONNECTORS, self._list, "List the connectors that may be used", query=LISTING_QUERY),
            Operation("POST", CONNECTORS, self._create, "Create a connector", body=NewConnector, status=CREATED),
            Operation("GET", CONNECTOR, self._show, "Show a connector", query=("fields",)),
            Operation("PUT", CONNECTOR, self._change, "Change a connector", body=ConnectorChanges),
            Operation("DELETE", CONNECTOR, self._remove, "Remove a connector that no device has"),
            *ShareRoutes(self._caller, self._connectors, CONNECTORS, "connector").operations,
        ]

    async def _list(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        connectors = await self._connectors.list_for(profile.id, listing)
        return answer([listing.pick(write_connector(connector, profile.id)) for connector in connectors])

    async def _create(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        new = await read_document(request, NewConnector)
        connector = await self._connectors.create(profile.id, new, administrator=profile.administrator)
        return answer({"connector": connector.id}, CREATED)

    async def _show(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        connector = await self._connectors.describe(profile.id, read_id(request, "connector"))
        return answer(listing.pick(write_connector(connector, profile.id)))

    async def _change(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        changes = await read_document(request, ConnectorChanges)
        await self._connectors.change(profile, read_id(request, "connector"), changes)
        return answer(UPDATED)

    async def _remove(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._connectors.remove(profile.id, read_id(request, "connector"))
        return answer(REMOVED)
