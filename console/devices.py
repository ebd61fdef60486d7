"""Devices: created in a network with its serial, shown with what they sent last."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from common.registry_requests import Document
from console.device_data import PERIODS, read_data
from console.forms import Form, find_faults
from console.networks import preview_serial, rule_of
from console.params import ParamField, find_changes, join_parameters, list_fields, read_params
from console.parsers import ParserRoutes, show_parser
from console.refusal import RefusedError
from console.removal import RemovalRoutes
from console.things import CONNECTORS, DEVICES, NETWORKS, list_choices, list_things, name_things, pick
from console.tokens import TokenRoutes, describe_tokens, list_tokens
from console.visit import Reception, Visit

NEW: Final = "/devices/new"

_FIELDS: Final = ("name", "description", "connector", "serie_number")
_FAULTS: Final = {
    **{name: name for name in (*_FIELDS, "network")},
    "configuration_params": "params",
}


class DeviceRoutes:
    """The pages of devices."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        admit = self._reception.admit
        return [
            Route("/devices", admit(self._list), methods=["GET"]),
            Route(NEW, admit(self._begin), methods=["GET"]),
            Route(NEW, admit(self._create), methods=["POST"]),
            Route("/devices/{device}", admit(self._show), methods=["GET"]),
            Route("/devices/{device}", admit(self._change), methods=["POST"]),
            *ParserRoutes(self._reception, DEVICES).routes,
            *TokenRoutes(self._reception, DEVICES).routes,
            *RemovalRoutes(
                self._reception,
                DEVICES,
                consequence="Its data, its tokens and its params are removed with it, for good.",
                verb="Remove the device and its data",
            ).routes,
        ]

    async def _list(self, visit: Visit) -> Response:
        names = await name_things(visit, NETWORKS)
        return visit.render("devices.html", listed=await list_things(visit, DEVICES), names=names)

    async def _begin(self, visit: Visit) -> Response:
        """Ask for the network first: how a serial looks, and which connectors there are, is the network's."""
        chosen = visit.query("network")
        if not chosen:
            return visit.render("device_network.html", networks=await list_choices(visit, NETWORKS))
        network = await visit.api.get(NETWORKS.at(chosen))
        return await self._render_new(visit, network, dict.fromkeys(_FIELDS, ""), {})

    async def _create(self, visit: Visit) -> Response:
        network = await visit.api.get(NETWORKS.at(visit.form.text("network")))
        new: dict[str, Any] = {name: visit.form.optional(name) for name in _FIELDS} | {"network": network["id"]}
        new |= {"name": visit.form.text("name"), "connector": visit.form.text("connector")}
        try:
            created = await visit.api.create(DEVICES.api, new)
        except RefusedError as refused:
            faults = _find_faults(refused)
            return await self._render_new(visit, network, pick(new, *_FIELDS), faults, refused.status)
        return visit.redirect(
            DEVICES.page(created["device_id"]),
            f"The device {new['name']} was created. Its token:",
            secret=created["token"],
        )

    async def _show(self, visit: Visit) -> Response:
        opened = await _open(visit)
        values = pick(opened.device, *_FIELDS) | {"active": opened.device["active"]}
        return await self._render(visit, opened, values, opened.params)

    async def _change(self, visit: Visit) -> Response:
        opened, typed = await _open(visit), read_params(visit.form)
        changes = _read_changes(visit.form)
        params = find_changes(opened.parameters, opened.params, typed)
        place = DEVICES.at(opened.device["id"])
        try:
            await visit.api.change(place, {**changes, "configuration_params": params.put})
            for param_id in params.removed:
                await visit.api.remove(f"{place}/params/{param_id}")
        except RefusedError as refused:
            values = pick({**opened.device, **changes}, *_FIELDS) | {"active": changes["active"]}
            return await self._render(visit, opened, values, typed, refused)
        return visit.redirect(DEVICES.page(opened.device["id"]), "The device was saved")

    async def _render_new(
        self, visit: Visit, network: Document, values: Document, faults: dict[str, str], status: int = 200
    ) -> Response:
        return visit.render(
            "device_new.html",
            status,
            network=network,
            connectors=await _list_connectors(visit, network["id"]),
            preview=preview_serial(rule_of(network), ""),
            values=values,
            faults=faults,
        )

    async def _render(
        self,
        visit: Visit,
        opened: "_Opened",
        values: Document,
        params: list[Document],
        refused: RefusedError | None = None,
    ) -> Response:
        device, network = opened.device, opened.network
        asked, further = list_fields(opened.parameters, params)
        return visit.render(
            "device.html",
            200 if refused is None else refused.status,
            device=device,
            network=network,
            connector=opened.connector,
            connectors=opened.connectors,
            preview=preview_serial(rule_of(network), ""),
            values=values,
            asked=asked,
            further=further,
            parser=show_parser(device),
            tokens=describe_tokens(await list_tokens(visit, DEVICES, device["id"])),
            data=await read_data(visit, device),
            periods=PERIODS,
            faults={} if refused is None else _find_faults(refused, [*asked, *further]),
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    """A device, with what its page needs to know of where it belongs. ``connectors`` are those that it may have."""

    device: Document
    network: Document
    connectors: list[Document]
    params: list[Document]

    @property
    def connector(self) -> Document:
        """The device's connector; only its id where it is shared with this profile no longer."""
        connector_id = self.device["connector"]
        unknown = {"id": connector_id, "name": connector_id}
        return next((each for each in self.connectors if each["id"] == connector_id), unknown)

    @property
    def parameters(self) -> list[Document]:
        """What the device is asked for."""
        return join_parameters(self.network, self.connector)


async def _open(visit: Visit) -> _Opened:
    place = DEVICES.at(visit.path("device"))
    device = await visit.api.get(place)
    network = await _find_network(visit, device["network"])
    connectors = await _list_connectors(visit, device["network"])
    return _Opened(device, network, connectors, await visit.api.get(f"{place}/params"))


def _read_changes(form: Form) -> Document:
    """Read the form. It asks for a serial only where there may be one, so what it does not ask for stays."""
    changes: Document = {name: form.optional(name) for name in ("description", "serie_number") if name in form.fields}
    return changes | {
        "name": form.text("name"),
        "connector": form.text("connector"),
        "active": form.checked("active"),
    }


def _find_faults(refused: RefusedError, params: Iterable[ParamField] = ()) -> dict[str, str]:
    """Say of which field the registry speaks."""
    return find_faults(refused.message, _FAULTS | {f"configuration_params.{each.key}": each.name for each in params})


async def _find_network(visit: Visit, network_id: str) -> Document:
    """Give the device's network; only its id where it is shared with this profile no longer."""
    try:
        network: Document = await visit.api.get(NETWORKS.at(network_id))
    except RefusedError:
        return {"id": network_id, "name": network_id, "serial_number": None}
    return network


async def _list_connectors(visit: Visit, network_id: str) -> list[Document]:
    """Give the connectors that allow this network."""
    return [each for each in await list_choices(visit, CONNECTORS) if network_id in each["networks"]]
