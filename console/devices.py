"""Devices: created in a network with its serial, shown with what they sent last."""

from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from console.forms import find_faults
from console.networks import preview_serial, rule_of
from console.plot import plot_records
from console.refusal import RefusedError
from console.registry_api import Document
from console.removal import RemovalRoutes
from console.things import CONNECTORS, DEVICES, NETWORKS, list_choices, list_things, name_things, pick
from console.tokens import TokenRoutes, describe_tokens, list_tokens
from console.visit import Reception, Visit

SHOWN_RECORDS: Final = 100
"""Of a device's data, the newest ones."""

NEW: Final = "/devices/new"

_FIELDS: Final = ("name", "description", "connector", "serie_number")
_FAULTS: Final = {
    **{name: name for name in (*_FIELDS, "network", "configuration_params")},
    "serial": "serie_number",
    "serie_number": "serie_number",
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
            f"The device {new['name']} was created. Its token, shown this once:",
            secret=created["token"],
        )

    async def _show(self, visit: Visit) -> Response:
        device = await visit.api.get(DEVICES.at(visit.path("device")))
        return await self._render(visit, device, pick(device, *_FIELDS) | {"active": device["active"]}, {})

    async def _change(self, visit: Visit) -> Response:
        place = DEVICES.at(visit.path("device"))
        device = await visit.api.get(place)
        form = visit.form
        changes: dict[str, Any] = {name: form.optional(name) for name in ("description", "serie_number")}
        changes |= {"name": form.text("name"), "connector": form.text("connector"), "active": form.checked("active")}
        try:
            await visit.api.change(place, changes)
        except RefusedError as refused:
            values = pick(changes, *_FIELDS) | {"active": changes["active"]}
            return await self._render(visit, device, values, _find_faults(refused), refused.status)
        return visit.redirect(DEVICES.page(device["id"]), "The device was saved")

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
        self, visit: Visit, device: Document, values: Document, faults: dict[str, str], status: int = 200
    ) -> Response:
        network = await _find_network(visit, device["network"])
        connectors = await _list_connectors(visit, device["network"])
        place = DEVICES.at(device["id"])
        records = await visit.api.get(f"{place}/data", {"qty": str(SHOWN_RECORDS)})
        return visit.render(
            "device.html",
            status,
            device=device,
            network=network,
            connectors=connectors,
            connector_is_listed=any(connector["id"] == device["connector"] for connector in connectors),
            preview=preview_serial(rule_of(network), ""),
            values=values,
            tokens=describe_tokens(await list_tokens(visit, DEVICES, device["id"])),
            params=await visit.api.get(f"{place}/params"),
            records=records,
            plots=plot_records(records),
            faults=faults,
        )


def _find_faults(refused: RefusedError) -> dict[str, str]:
    """Say of which field the registry speaks; what it says of a serial begins with the word."""
    if refused.message.startswith("serial "):
        return {"serie_number": refused.message}
    return find_faults(refused.message, _FAULTS)


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
