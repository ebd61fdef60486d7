"""Networks: kinds of connection, with the rule for their serials, their tokens and whom they are shared with."""

from typing import Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from common.serial import SerialMalformedError, SerialRule
from console.forms import find_faults
from console.parameters import read_parameters, read_parser, show_parameters, show_parser
from console.refusal import RefusedError
from console.registry_api import Document
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
    "payload_decoder": "parser",
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
        changes = _read_changes(visit)
        try:
            await self._upload(visit, network["id"], changes)
            await visit.api.change(place, changes)
        except RefusedError as refused:
            values = {**_show_values({**network, **changes}), "parser": visit.form.text("parser")}
            return await self._render(visit, network, values, find_faults(refused.message, _FAULTS), refused.status)
        return visit.redirect(NETWORKS.page(network["id"]), "The network was saved")

    async def _preview(self, visit: Visit) -> Response:
        """``GET /serial``: what a rule makes of a serial that is being typed."""
        case = visit.query("case")
        rule = SerialRule(visit.query("mask")[:SHOWN_SERIAL] or None, _CASES.get(case))
        return JSONResponse(preview_serial(rule, visit.query("serial")[:SHOWN_SERIAL]))

    async def _upload(self, visit: Visit, network_id: str, changes: Document) -> None:
        """Store the images that were chosen, and name them in the changes."""
        for name, field in IMAGES.items():
            content = await visit.form.file(name)
            if not content:
                continue
            path = f"networks/{network_id}/{field}"
            await visit.api.upload(path, content)
            address = f"/file/{visit.profile.id}/{path}"
            if field != "image":
                changes[field] = address
            elif changes["serial_number"] is not None:
                changes["serial_number"][field] = address

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
        "parser": show_parser(network),
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
    changes["payload_decoder"] = read_parser(form)
    if visit.profile.administrator:
        changes["public"] = form.checked("public")
    return changes
