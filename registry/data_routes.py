"""A device's data: posted, read and deleted with its own token, or with that of its profile."""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import Caller
from registry.data_query import QUERY, parse_data_query
from registry.data_reader import DataReader
from registry.data_remover import DataRemover
from registry.decoding import Payload
from registry.devices import Devices
from registry.entries import DeviceEntry
from registry.intake import Intake
from registry.operations import Operation
from registry.parameters import parse_parameters
from registry.records import RECORDS_SCHEMA, parse_payload
from registry.request import read_body, read_id, read_token
from registry.uplink_ids import HEADER, parse_uplink_ids

DATA = "/data"
DEVICE_DATA = "/device/{device}/data"


class DataRoutes:
    """What is done with data."""

    def __init__(
        self, caller: Caller, devices: Devices, intake: Intake, reader: DataReader, remover: DataRemover
    ) -> None:
        self._caller = caller
        self._devices = devices
        self._intake = intake
        self._reader = reader
        self._remover = remover

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        of_profile = [
            Operation("POST", DEVICE_DATA, self._post_of_profile, "Post a device's data", body=RECORDS_SCHEMA),
            Operation("GET", DEVICE_DATA, self._get_of_profile, "Read a device's data", query=QUERY),
            Operation("DELETE", DEVICE_DATA, self._delete_of_profile, "Delete some of a device's data", query=QUERY),
            Operation("GET", "/device/{device}/data_amount", self._count, "Count a device's records"),
            Operation("POST", "/device/{device}/empty", self._empty, "Delete all of a device's data"),
        ]
        return [
            Operation("POST", DATA, self._post, "Post data", caller="device", body=RECORDS_SCHEMA),
            Operation("GET", DATA, self._get, "Read data", caller="device", query=QUERY),
            Operation("DELETE", DATA, self._delete, "Delete some of the data", caller="device", query=QUERY),
            *of_profile,
        ]

    async def _post(self, request: Request) -> Response:
        """``POST /data``: how many records were stored, 0 for uplinks that had been before."""
        device = await self._devices.authenticate(read_token(request), to="write")
        return await self._store(request, device)

    async def _get(self, request: Request) -> Response:
        device = await self._devices.authenticate(read_token(request), to="read")
        return await self._find(request, device.id)

    async def _delete(self, request: Request) -> Response:
        device = await self._devices.authenticate(read_token(request), to="full")
        return await self._remove(request, device.id)

    async def _post_of_profile(self, request: Request) -> Response:
        return await self._store(request, await self._find_device(request))

    async def _get_of_profile(self, request: Request) -> Response:
        return await self._find(request, (await self._find_device(request)).id)

    async def _delete_of_profile(self, request: Request) -> Response:
        return await self._remove(request, (await self._find_device(request)).id)

    async def _count(self, request: Request) -> Response:
        return answer(await self._reader.count((await self._find_device(request)).id))

    async def _empty(self, request: Request) -> Response:
        device = await self._find_device(request)
        return answer(f"{await self._remover.remove_all(device.id)} Data Removed")

    async def _find_device(self, request: Request) -> DeviceEntry:
        profile = await self._caller.profile(request)
        return await self._devices.describe(profile.id, read_id(request, "device"))

    async def _store(self, request: Request, device: DeviceEntry) -> Response:
        uplink_ids = parse_uplink_ids(request.headers.get(HEADER, ""))
        stored = await self._intake.take(device, await _read_payload(request), uplink_ids)
        return answer(f"{stored} Data Added")

    async def _find(self, request: Request, device_id: str) -> Response:
        query = parse_data_query(parse_parameters(request.scope["query_string"]), datetime.now(UTC))
        return answer(await self._reader.find(device_id, query))

    async def _remove(self, request: Request, device_id: str) -> Response:
        query = parse_data_query(parse_parameters(request.scope["query_string"]), datetime.now(UTC))
        return answer(f"{await self._remover.remove(device_id, query)} Data Removed")


async def _read_payload(request: Request) -> Payload:
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return parse_payload(await read_body(request), media_type)
