"""Connectors: what a device is, and by which networks it may come."""

from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from common.registry_requests import Document
from console.forms import find_faults
from console.images import list_places, upload_images
from console.parameters import read_parameters, show_parameters
from console.params import preview_fields
from console.parsers import ParserRoutes, show_parser
from console.refusal import RefusedError
from console.removal import RemovalRoutes
from console.shares import ShareRoutes
from console.things import CONNECTORS, NETWORKS, list_choices, list_things, name_things, owns, pick
from console.visit import Reception, Visit

IMAGES: Final = {"logo": "logo_url"}
"""Files of the form, and the fields that hold their addresses."""

_TEXTS: Final = ("name", "description", "logo_url", "install_text", "install_end_text", "device_annotation")

_FAULTS: Final = {
    **{name: name for name in (*_TEXTS, "networks", "public")},
    "device_parameters": "parameters",
}


class ConnectorRoutes:
    """The pages of connectors."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        admit = self._reception.admit
        return [
            Route("/connectors", admit(self._list), methods=["GET"]),
            Route("/connectors", admit(self._create), methods=["POST"]),
            Route("/connectors/{connector}", admit(self._show), methods=["GET"]),
            Route("/connectors/{connector}", admit(self._change), methods=["POST"]),
            *ParserRoutes(self._reception, CONNECTORS).routes,
            *ShareRoutes(self._reception, CONNECTORS).routes,
            *RemovalRoutes(
                self._reception,
                CONNECTORS,
                consequence="A connector that a device has is not removed.",
                verb="Remove the connector",
            ).routes,
        ]

    async def _list(self, visit: Visit) -> Response:
        return await self._render_list(visit, {"name": "", "networks": []}, {})

    async def _create(self, visit: Visit) -> Response:
        new = {"name": visit.form.text("name"), "networks": visit.form.texts("networks")}
        try:
            created = await visit.api.create(CONNECTORS.api, new)
        except RefusedError as refused:
            return await self._render_list(visit, new, find_faults(refused.message, _FAULTS), refused.status)
        return visit.redirect(CONNECTORS.page(created["connector"]), f"The connector {new['name']} was created")

    async def _show(self, visit: Visit) -> Response:
        connector = await visit.api.get(CONNECTORS.at(visit.path("connector")))
        return await self._render(visit, connector, _show_values(connector), {})

    async def _change(self, visit: Visit) -> Response:
        place = CONNECTORS.at(visit.path("connector"))
        connector = await visit.api.get(place)
        changes, folder = _read_changes(visit), f"connectors/{connector['id']}"
        names = await name_things(visit, NETWORKS)
        if set(changes["networks"]) == names.keys() & connector["networks"]:
            del changes["networks"]  # those that the form cannot show stay too
        try:
            changes |= await upload_images(visit, folder, IMAGES)
            await visit.api.change(place, changes)
        except RefusedError as refused:
            faults = find_faults(refused.message, _FAULTS | list_places(folder, IMAGES))
            return await self._render(visit, connector, _show_values({**connector, **changes}), faults, refused.status)
        return visit.redirect(CONNECTORS.page(connector["id"]), "The connector was saved")

    async def _render_list(self, visit: Visit, values: Document, faults: dict[str, str], status: int = 200) -> Response:
        networks = await list_choices(visit, NETWORKS)
        return visit.render(
            "connectors.html",
            status,
            listed=await list_things(visit, CONNECTORS),
            networks=networks,
            names={network["id"]: network["name"] for network in networks},
            values=values,
            faults=faults,
        )

    async def _render(
        self, visit: Visit, connector: Document, values: Document, faults: dict[str, str], status: int = 200
    ) -> Response:
        own = owns(visit, connector)
        return visit.render(
            "connector.html",
            status,
            connector=connector,
            own=own,
            values=values,
            names=await name_things(visit, NETWORKS),
            parameters=show_parameters(values["device_parameters"]),
            previewed=preview_fields(values["device_parameters"] or ()),
            parser=show_parser(connector),
            shares=await visit.api.get(f"{CONNECTORS.at(connector['id'])}/share") if own else [],
            faults=faults,
        )


def _show_values(connector: Document) -> Document:
    return {
        **pick(connector, *_TEXTS),
        "networks": list(connector["networks"]),
        "public": bool(connector.get("public")),
        "device_parameters": connector.get("device_parameters"),
    }


def _read_changes(visit: Visit) -> Document:
    form = visit.form
    changes: dict[str, Any] = {name: form.optional(name) for name in _TEXTS}
    changes |= {"name": form.text("name"), "networks": form.texts("networks")}
    changes["device_parameters"] = read_parameters(form)
    return changes | {"public": form.checked("public")} if visit.profile.administrator else changes
