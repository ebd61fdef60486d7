"""What a profile does with its token: create networks, connectors, devices and authorization keys, and list them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from registry.answer import answer
from registry.connectors import Connectors
from registry.devices import Devices
from registry.documents import write_connector, write_device, write_key, write_network
from registry.entries import NewConnector, NewDevice, NewKey, NewNetwork
from registry.keys import Keys
from registry.listing import Listing, parse_listing
from registry.networks import Networks
from registry.parameters import parse_parameters
from registry.profiles import Profiles
from registry.request import read_document, read_token

CREATED = 201

_Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class ProfileRoutes:
    """The routes for profile tokens."""

    def __init__(
        self, profiles: Profiles, networks: Networks, connectors: Connectors, devices: Devices, keys: Keys
    ) -> None:
        self._profiles = profiles
        self._networks = networks
        self._connectors = connectors
        self._devices = devices
        self._keys = keys

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The routes, to be mounted."""
        return [
            *_at("/integration/network", self._create_network, self._list_networks),
            *_at("/integration/connector", self._create_connector, self._list_connectors),
            *_at("/device", self._create_device, self._list_devices),
            *_at("/serviceauth", self._create_key, self._list_keys),
        ]

    async def _create_network(self, request: Request) -> Response:
        profile_id = await self._authenticate(request)
        network = await self._networks.create(profile_id, await read_document(request, NewNetwork))
        return answer({"network": network.id}, CREATED)

    async def _create_connector(self, request: Request) -> Response:
        profile_id = await self._authenticate(request)
        connector = await self._connectors.create(profile_id, await read_document(request, NewConnector))
        return answer({"connector": connector.id}, CREATED)

    async def _create_device(self, request: Request) -> Response:
        profile_id = await self._authenticate(request)
        device, token = await self._devices.create(profile_id, await read_document(request, NewDevice))
        # A device's data has been its own bucket since TagoIO gave up separate ones; clients still read the id.
        created = {"device_id": device.id, "bucket_id": device.id, "token": token.get_secret_value()}
        return answer(created, CREATED)

    async def _create_key(self, request: Request) -> Response:
        profile_id = await self._authenticate(request)
        key = await self._keys.create(profile_id, await read_document(request, NewKey))
        return answer({**write_key(key), "additional_parameters": key.additional_parameters}, CREATED)

    async def _list_networks(self, request: Request) -> Response:
        profile_id, listing = await self._authenticate(request), _read_listing(request)
        networks = await self._networks.list_for(profile_id, listing)
        return answer([listing.pick(write_network(network)) for network in networks])

    async def _list_connectors(self, request: Request) -> Response:
        profile_id, listing = await self._authenticate(request), _read_listing(request)
        connectors = await self._connectors.list_for(profile_id, listing)
        return answer([listing.pick(write_connector(connector)) for connector in connectors])

    async def _list_devices(self, request: Request) -> Response:
        profile_id, listing = await self._authenticate(request), _read_listing(request)
        devices = await self._devices.list_for(profile_id, listing)
        return answer([listing.pick(write_device(device)) for device in devices])

    async def _list_keys(self, request: Request) -> Response:
        profile_id, listing = await self._authenticate(request), _read_listing(request)
        keys = await self._keys.list_for(profile_id, listing)
        return answer([listing.pick(write_key(key)) for key in keys])

    async def _authenticate(self, request: Request) -> str:
        return (await self._profiles.authenticate(read_token(request))).id


def _at(path: str, create: _Handler, list_them: _Handler) -> list[Route]:
    """Give the routes of one path, with and without the slash that some of the official clients put behind it."""
    return [
        route
        for spelling in (path, f"{path}/")
        for route in (Route(spelling, create, methods=["POST"]), Route(spelling, list_them))
    ]


def _read_listing(request: Request) -> Listing:
    return parse_listing(parse_parameters(request.scope["query_string"]))
