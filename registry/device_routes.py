"""What networks and devices do with their tokens beside data: resolve a serial, ask who they are, read their params."""

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response

from registry.answer import answer
from registry.caller import UPDATED
from registry.device_params import DeviceParams
from registry.devices import Devices
from registry.documents import write_device, write_network
from registry.entries import ParamMark
from registry.keys import Keys
from registry.networks import Networks
from registry.operations import Operation
from registry.parameters import parse_parameters, read_boolean
from registry.refusal import RefusedError, denied, not_found
from registry.request import read_document, read_id, read_token

RESOLVE = "/integration/network/resolve"


class DeviceRoutes:
    """The routes for network tokens and device tokens."""

    def __init__(self, networks: Networks, devices: Devices, params: DeviceParams, keys: Keys) -> None:
        self._networks = networks
        self._devices = devices
        self._params = params
        self._keys = keys

    @property
    def operations(self) -> Sequence[Operation]:
        """What there is to be done."""
        spellings = (f"{RESOLVE}/{{serial}}/{{authorization}}", f"{RESOLVE}/{{serial}}")
        return [
            Operation(
                "GET",
                f"{RESOLVE}/{{segments:path}}",
                self._resolve,
                "Give the token of the device with this serial",
                caller="network",
                spellings=spellings,
            ),
            Operation("GET", "/info", self._get_info, "Say whose token this is", caller="device or network"),
            Operation(
                "GET",
                "/device/params",
                self._list_params,
                "List the device's params",
                caller="device",
                query=("sent_status",),
            ),
            Operation(
                "PUT",
                "/device/params/{param}",
                self._mark_param,
                "Mark a param as read",
                caller="device",
                body=ParamMark,
            ),
        ]

    async def _resolve(self, request: Request) -> Response:
        """``GET …/resolve/{serial}[/{authorization}]``: the device's token."""
        network = await self._networks.authenticate(read_token(request))
        serial, authorization = _split_path(request.scope["raw_path"])
        profile_id = None if authorization is None else await self._keys.authenticate(authorization)
        token = await self._devices.resolve(network, serial, profile_id)
        return answer(token.get_secret_value())

    async def _get_info(self, request: Request) -> Response:
        """``GET /info``: the device or the network whose token this is."""
        token = read_token(request)
        try:
            device = await self._devices.authenticate(token)
        except RefusedError:
            return answer(write_network(await self._networks.authenticate(token)))
        return answer(write_device(await self._devices.describe(device.profile_id, device.id)))

    async def _list_params(self, request: Request) -> Response:
        device = await self._devices.authenticate(read_token(request))
        sent = read_boolean(parse_parameters(request.scope["query_string"]), "sent_status")
        return answer(await self._params.list_for(device.id, sent=sent))

    async def _mark_param(self, request: Request) -> Response:
        device = await self._devices.authenticate(read_token(request), to="write")
        mark = await read_document(request, ParamMark)
        await self._params.mark(device.id, read_id(request, "param"), sent=mark.sent)
        return answer(UPDATED)


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
