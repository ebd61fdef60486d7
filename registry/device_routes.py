"""What devices and networks do with their tokens: resolve a serial, post and read data, ask who they are.

This is all that Sluice's workers use of TagoIO's API.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from registry.answer import answer
from registry.data_query import parse_data_query
from registry.data_reader import DataReader
from registry.data_writer import DataWriter, DevicePost
from registry.devices import Devices
from registry.documents import write_device_info, write_network
from registry.keys import Keys
from registry.networks import Networks
from registry.parameters import parse_parameters
from registry.records import parse_records
from registry.refusal import RefusedError, denied, not_found
from registry.request import read_body, read_token
from registry.uplink_ids import HEADER, parse_uplink_ids

RESOLVE = "/integration/network/resolve"


class DeviceRoutes:
    """The routes for network tokens and device tokens."""

    def __init__(
        self, networks: Networks, devices: Devices, keys: Keys, writer: DataWriter, reader: DataReader
    ) -> None:
        self._networks = networks
        self._devices = devices
        self._keys = keys
        self._writer = writer
        self._reader = reader

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The routes, to be mounted."""
        return [
            Route(RESOLVE + "/{segments:path}", self._resolve),
            Route("/data", self._post_data, methods=["POST"]),
            Route("/data", self._get_data),
            Route("/info", self._get_info),
        ]

    async def _resolve(self, request: Request) -> Response:
        """``GET …/resolve/{serial}[/{authorization}]``: the device's token."""
        network = await self._networks.authenticate(read_token(request))
        serial, authorization = _split_path(request.scope["raw_path"])
        profile_id = None if authorization is None else await self._keys.authenticate(authorization)
        token = await self._devices.resolve(network, serial, profile_id)
        return answer(token.get_secret_value())

    async def _post_data(self, request: Request) -> Response:
        """``POST /data``: how many records were stored, 0 for uplinks that had been before."""
        device = await self._devices.authenticate(read_token(request))
        uplink_ids = parse_uplink_ids(request.headers.get(HEADER, ""))
        records = parse_records(await read_body(request))
        stored = await self._writer.store(DevicePost(device.id, records, uplink_ids))
        return answer(f"{stored} Data Added")

    async def _get_data(self, request: Request) -> Response:
        """``GET /data``: the device's records."""
        device = await self._devices.authenticate(read_token(request))
        query = parse_data_query(parse_parameters(request.scope["query_string"]), datetime.now(UTC))
        return answer(await self._reader.find(device.id, query))

    async def _get_info(self, request: Request) -> Response:
        """``GET /info``: the device or the network whose token this is."""
        token = read_token(request)
        try:
            device = await self._devices.authenticate(token)
        except RefusedError:
            return answer(write_network(await self._networks.authenticate(token)))
        return answer(write_device_info(device, await self._reader.last_input(device.id)))


def _split_path(raw_path: bytes) -> tuple[str, str | None]:
    """Give serial and authorization of a path, which is split before it is decoded: a serial may hold a slash.

    An authorization that is there but empty is somebody's unset variable. It is refused, and not taken for none, which
    would search the devices of every profile.
    """
    prefix = f"{RESOLVE}/".encode()
    if not raw_path.startswith(prefix):  # the route was found after decoding, in another spelling
        raise not_found("Device")
    segments = raw_path.removeprefix(prefix).split(b"/")
    match [unquote_to_bytes(segment).decode(errors="replace") for segment in segments]:
        case [serial]:
            return serial, None
        case [_, ""]:
            raise denied()
        case [serial, authorization]:
            return serial, authorization
        case _:
            raise not_found("Device")
