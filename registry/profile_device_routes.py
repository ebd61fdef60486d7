"""Devices as their profile has them: created, changed, removed; their tokens and their params."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import CREATED, LISTING_QUERY, REMOVED, UPDATED, Caller
from registry.device_params import DeviceParams
from registry.devices import Devices
from registry.documents import write_device, write_token
from registry.entries import DeviceChanges, NewDevice, NewDeviceToken
from registry.form import Param
from registry.operations import Operation
from registry.parameters import parse_parameters, read_boolean
from registry.request import read_document, read_documents, read_id

DEVICES = "/device"
DEVICE = f"{DEVICES}/{{device}}"
TOKENS = f"{DEVICES}/token"
PARAMS = f"{DEVICE}/params"


_PARAM: Final = {"$ref": "#/components/schemas/Param"}
_PARAMS: Final = {"oneOf": [_PARAM, {"type": "array", "items": _PARAM}]}


class ProfileDeviceRoutes:
    """What profiles do with their devices."""

    def __init__(self, caller: Caller, devices: Devices, params: DeviceParams) -> None:
        self._caller = caller
        self._devices = devices
        self._params = params

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        return [
            Operation("GET", DEVICES, self._list, "List the devices", query=(*LISTING_QUERY, "serial")),
            Operation("POST", DEVICES, self._create, "Create a device", body=NewDevice, status=CREATED),
            Operation("POST", TOKENS, self._create_token, "Create a device token", body=NewDeviceToken, status=CREATED),
            # One path for two things: the official clients list by device, and remove by token.
            Operation(
                "GET", f"{TOKENS}/{{reference}}", self._list_tokens, "List a device's tokens", query=LISTING_QUERY
            ),
            Operation("DELETE", f"{TOKENS}/{{reference}}", self._remove_token, "Remove a device token"),
            Operation("GET", DEVICE, self._show, "Show a device", query=("fields",)),
            Operation("PUT", DEVICE, self._change, "Change a device", body=DeviceChanges),
            Operation("DELETE", DEVICE, self._remove, "Remove a device and its data"),
            Operation("GET", PARAMS, self._list_params, "List a device's params", query=("sent_status",)),
            Operation("POST", PARAMS, self._put_params, "Add or change params of a device", body=_PARAMS),
            Operation("DELETE", f"{PARAMS}/{{param}}", self._remove_param, "Remove a param of a device"),
        ]

    async def _list(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        return answer(
            [listing.pick(write_device(device)) for device in await self._devices.list_for(profile.id, listing)]
        )

    async def _create(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        device, token = await self._devices.create(profile.id, await read_document(request, NewDevice))
        # A device's data has been its own bucket since TagoIO gave up separate ones; clients still read the id.
        created = {"device_id": device.id, "bucket_id": device.id, "token": token.get_secret_value()}
        return answer(created, CREATED)

    async def _show(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        return answer(listing.pick(write_device(await self._devices.describe(profile.id, read_id(request, "device")))))

    async def _change(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        changes = await read_document(request, DeviceChanges)
        await self._devices.change(profile.id, read_id(request, "device"), changes)
        return answer(UPDATED)

    async def _remove(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._devices.remove(profile.id, read_id(request, "device"))
        return answer(REMOVED)

    async def _create_token(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        token = await self._devices.add_token(profile.id, await read_document(request, NewDeviceToken))
        return answer({**write_token(token), "expire_date": "never"}, CREATED)

    async def _list_tokens(self, request: Request) -> Response:
        profile, listing = await self._caller.listing(request)
        device = await self._devices.describe(profile.id, read_id(request, "reference"))
        tokens = await self._devices.list_tokens(profile.id, device.id, listing)
        of_device = {
            "device_id": device.id,
            "network_id": device.network_id,
            "serie_number": device.serial,
            "last_authorization": write_device(device)["last_authorization"],
        }
        return answer([listing.pick({**write_token(token), **of_device}) for token in tokens])

    async def _remove_token(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        await self._devices.remove_token(profile.id, request.path_params["reference"])
        return answer(REMOVED)

    async def _list_params(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        device = await self._devices.describe(profile.id, read_id(request, "device"))
        sent = read_boolean(parse_parameters(request.scope["query_string"]), "sent_status")
        return answer(await self._params.list_for(device.id, sent=sent))

    async def _put_params(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        device = await self._devices.describe(profile.id, read_id(request, "device"))
        await self._params.put(device.id, await read_documents(request, Param))
        return answer(UPDATED)

    async def _remove_param(self, request: Request) -> Response:
        profile = await self._caller.profile(request)
        device = await self._devices.describe(profile.id, read_id(request, "device"))
        await self._params.remove(device.id, read_id(request, "param"))
        return answer(REMOVED)
