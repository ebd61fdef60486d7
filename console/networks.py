"""Networks: kinds of connection, with the rule for their serials, their tokens and whom they are shared with."""

from typing import Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common.registry_requests import Document
from common.serial import SerialMalformedError, SerialRule
from console.forms import find_faults
from console.images import list_places, upload_images
from console.parameters import read_parameters, show_parameters
from console.params import preview_fields
from console.parsers import ParserRoutes, show_parser
from console.refusal import RefusedError
from console.removal import RemovalRoutes
from console.shares import ShareRoutes
from console.things import NETWORKS, list_things, owns, pick
from console.tokens import TokenRoutes, describe_tokens, list_tokens
from console.visit import Reception, Visit

IMAGES: Final = {"icon": "icon_url", "banner": "banner_url", "serial_image_file": "image"}
"""Files of the form, and the fields that hold their addresses."""

_TEXTS: Final = ("name", "description", "documentation_url", "icon_url", "banner_url", "middleware_endpoint")
_SERIAL_TEXTS: Final = ("label", "mask", "case", "image", "help")

_FAULTS: Final = {
    **{name: name for name in _TEXTS},
    **{f"serial_number.{name}": f"serial_{name}" for name in _SERIAL_TEXTS},
    "device_parameters": "parameters",
    "public": "public",
}

SHOWN_SERIAL: Final = 100


class NetworkRoutes:
    """The pages of networks."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        admit = self._reception.admit
        return [
            Route("/networks", admit(self._list), methods=["GET"]),
            Route("/networks", admit(self._create), methods=["POST"]),
            Route("/networks/{network}", admit(self._show), methods=["GET"]),
            Route("/networks/{network}", admit(self._change), methods=["POST"]),
            Route("/serial", admit(self._preview), methods=["GET"]),
            Route("/parameters", admit(self._preview_parameters), methods=["POST"]),
            *ParserRoutes(self._reception, NETWORKS).routes,
            *TokenRoutes(self._reception, NETWORKS).routes,
            *ShareRoutes(self._reception, NETWORKS).routes,
            *RemovalRoutes(
                self._reception,
                NETWORKS,
                consequence="Its tokens go with it. A network that devices, connectors or keys use is not removed.",
                verb="Remove the network",
            ).routes,
        ]

    async def _list(self, visit: Visit) -> Response:
        return visit.render("networks.html", listed=await list_things(visit, NETWORKS), name="", faults={})

    async def _create(self, visit: Visit) -> Response:
        name = visit.form.text("name")
        try:
            created = await visit.api.create(NETWORKS.api, {"name": name})
        except RefusedError as refused:
            listed, faults = await list_things(visit, NETWORKS), find_faults(refused.message, {"name": "name"})
            return visit.render("networks.html", refused.status, listed=listed, name=name, faults=faults)
        return visit.redirect(NETWORKS.page(created["network"]), f"The network {name} was created")

    async def _show(self, visit: Visit) -> Response:
        network = await visit.api.get(NETWORKS.at(visit.path("network")))
        return await self._render(visit, network, _show_values(network), {})

    async def _change(self, visit: Visit) -> Response:
        place = NETWORKS.at(visit.path("network"))
        network = await visit.api.get(place)
        changes, folder = _read_changes(visit), f"networks/{network['id']}"
        try:
            changes = _add_images(changes, await upload_images(visit, folder, IMAGES))
            await visit.api.change(place, changes)
        except RefusedError as refused:
            faults = find_faults(refused.message, _FAULTS | list_places(folder, IMAGES))
            return await self._render(visit, network, _show_values({**network, **changes}), faults, refused.status)
        return visit.redirect(NETWORKS.page(network["id"]), "The network was saved")

    async def _preview(self, visit: Visit) -> Response:
        """``GET /serial``: what a rule makes of a serial that is being typed."""
        case = visit.query("case")
        rule = SerialRule(visit.query("mask")[:SHOWN_SERIAL] or None, _CASES.get(case))
        return JSONResponse(preview_serial(rule, visit.query("serial")[:SHOWN_SERIAL]))

    async def _preview_parameters(self, visit: Visit) -> Response:
        """``POST /parameters``: how the page of a device asks for what is being typed, as a part of a page."""
        return visit.render_part("parameters_preview.html", previewed=preview_fields(read_parameters(visit.form) or ()))

    async def _render(
        self, visit: Visit, network: Document, values: Document, faults: dict[str, str], status: int = 200
    ) -> Response:
        own = owns(visit, network)
        tokens = describe_tokens(await list_tokens(visit, NETWORKS, network["id"])) if own else []
        shares = await visit.api.get(f"{NETWORKS.at(network['id'])}/share") if own else []
        return visit.render(
            "network.html",
            status,
            network=network,
            own=own,
            values=values,
            parameters=show_parameters(values["device_parameters"]),
            previewed=preview_fields(values["device_parameters"] or ()),
            parser=show_parser(network),
            preview=preview_serial(_read_rule(values), ""),
            tokens=tokens,
            shares=shares,
            faults=faults,
        )


_CASES: Final[dict[str, Any]] = {"upper": "upper", "lower": "lower"}


def preview_serial(rule: SerialRule, serial: str) -> dict[str, str]:
    """Give an example of the rule's serials, and how it stores the typed one, or why it does not take it."""
    preview = {"example": str(rule.build_example()), "stored": "", "problem": ""}
    if serial:
        try:
            preview["stored"] = rule.normalise(serial)
        except SerialMalformedError as error:
            preview["problem"] = str(error)
    return preview


def rule_of(network: Document) -> SerialRule:
    """Give the rule for a network's serials, as the registry describes the network."""
    serial = network.get("serial_number") or {}
    return SerialRule(serial.get("mask") or None, _CASES.get(serial.get("case") or ""))


def _read_rule(values: Document) -> SerialRule:
    return SerialRule(values["serial_mask"] or None, _CASES.get(values["serial_case"]))


def _show_values(network: Document) -> Document:
    serial = network.get("serial_number")
    return {
        **pick(network, *_TEXTS),
        **{f"serial_{name}": text for name, text in pick(serial or {}, *_SERIAL_TEXTS).items()},
        "serial": serial is not None,
        "serial_required": (serial or {"required": True}).get("required", True),
        "public": bool(network.get("public")),
        "device_parameters": network.get("device_parameters"),
    }


def _read_changes(visit: Visit) -> Document:
    """Read the form. Only an administrator is shown the box for public, so nobody else's form can empty it."""
    form = visit.form
    changes: dict[str, Any] = {name: form.optional(name) for name in _TEXTS}
    changes["name"] = form.text("name")
    serial: dict[str, Any] = {name: form.optional(f"serial_{name}") for name in _SERIAL_TEXTS}
    changes["serial_number"] = (
        {**serial, "required": form.checked("serial_required")} if form.checked("serial") else None
    )
    changes["device_parameters"] = read_parameters(form)
    if visit.profile.administrator:
        changes["public"] = form.checked("public")
    return changes


def _add_images(changes: Document, addresses: Document) -> Document:
    """Name the images that were uploaded; one of the serial only where there is a rule for serials."""
    of_serial = {name: address for name, address in addresses.items() if name in _SERIAL_TEXTS}
    serial = changes["serial_number"]
    return {
        **changes,
        **{name: address for name, address in addresses.items() if name not in of_serial},
        "serial_number": serial and {**serial, **of_serial},
    }
