"""Authorization keys: who may send, how their fields are read, and a tester for that."""

import re
from contextlib import suppress
from typing import Any, Final

from pydantic import SecretStr
from starlette.responses import Response
from starlette.routing import Route

from common.curl import make_sample, write_send_curl
from common.fields.field_map import parse_field_map
from common.fields.presets import PRESETS
from common.registry_requests import Document
from console.forms import find_faults
from console.networks import rule_of
from console.pages import show_json
from console.refusal import RefusedError
from console.removal import RemovalRoutes
from console.sessions import Notice
from console.testing_keys import ExplainBody, Sample
from console.things import DEVICES, KEYS, NETWORKS, list_choices, list_things, pick
from console.visit import Reception, Visit

_TEXTS: Final = ("name", "verification_code", "network", "expire_time")

_FAULTS: Final = {name: name for name in _TEXTS}

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
"""Of a path: no number and no choice, which can stand for many things."""


class KeyRoutes:
    """The pages of authorization keys. ``explain`` says what would become of a body.

    Uplinks go to ``ingest_url``; None: nobody knows where.
    """

    def __init__(self, reception: Reception, explain: ExplainBody, ingest_url: str | None) -> None:
        self._reception = reception
        self._explain = explain
        self._ingest_url = ingest_url

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        admit = self._reception.admit
        return [
            Route("/keys", admit(self._list), methods=["GET"]),
            Route("/keys", admit(self._create), methods=["POST"]),
            Route("/keys/{key}", admit(self._show), methods=["GET"]),
            Route("/keys/{key}", admit(self._change), methods=["POST"]),
            Route("/keys/{key}/test", admit(self._test), methods=["POST"]),
            *RemovalRoutes(
                self._reception,
                KEYS,
                consequence="Whoever sends with it is refused. Uplinks that are queued under it end as dead letters.",
                verb="Remove the key",
            ).routes,
        ]

    async def _list(self, visit: Visit) -> Response:
        return await self._render_list(visit, dict.fromkeys(_TEXTS, ""), {})

    async def _create(self, visit: Visit) -> Response:
        new = {name: visit.form.optional(name) for name in ("network", "verification_code")}
        new["name"] = visit.form.text("name")
        try:
            created = await visit.api.create(KEYS.api, new)
        except RefusedError as refused:
            faults = find_faults(refused.message, _FAULTS)
            return await self._render_list(visit, pick(new, *_TEXTS), faults, refused.status)
        said = f"The authorization key {new['name']} was created. Gateways send it as Authorization:"
        answer = visit.redirect(KEYS.page(created["id"]), said, secret=created["token"])
        await self._offer_curl(visit, created)
        return answer

    async def _offer_curl(self, visit: Visit, created: Document) -> None:
        """Show a line that sends an uplink with the key, if there is a device that it could come from."""
        devices: list[Document] = []
        if self._ingest_url and created["network"]:
            wanted = {"filter[network]": created["network"], "orderBy": "created_at,desc", "amount": "10"}
            with suppress(RefusedError):  # the key is created all the same
                devices = await visit.api.get(DEVICES.api, wanted)
        device = next((device for device in devices if device["serie_number"]), None)
        item = device and make_item(created["verification_code"], device["serie_number"])
        if self._ingest_url and device and item:
            said = f"Send an uplink of the device {device['name']} with it:"
            line = write_send_curl(self._ingest_url, SecretStr(created["token"]), item)
            visit.session.notices.append(Notice(said, line))

    async def _show(self, visit: Visit) -> Response:
        key = await self._find(visit)
        return await self._render(visit, key, _show_values(key), {})

    async def _change(self, visit: Visit) -> Response:
        key = await self._find(visit)
        form = visit.form
        changes: dict[str, Any] = {
            "name": form.text("name"),
            "verification_code": form.text("verification_code"),
            "network": form.optional("network"),
            "enabled": form.checked("enabled"),
            "expire_time": form.text("expire_time") or "never",
        }
        try:
            await visit.api.change(KEYS.at(key["id"]), changes)
        except RefusedError as refused:
            faults = find_faults(refused.message, _FAULTS)
            return await self._render(visit, key, _show_values(changes), faults, refused.status)
        return visit.redirect(KEYS.page(key["id"]), "The authorization key was saved")

    async def _test(self, visit: Visit) -> Response:
        """Say what would become of a body, by the map of the form, which need not be saved."""
        key = await self._find(visit)
        form = visit.form
        network = await visit.api.get(NETWORKS.at(key["network"])) if key["network"] else {}
        serial = network.get("serial_number") or {}
        sample = Sample(
            body=form.text("body"),
            query=form.text("query"),
            field_map=form.text("verification_code"),
            mask=serial.get("mask") or None,
            case=serial.get("case") or None,
        )
        values = {**_show_values(key), "verification_code": sample.field_map}
        return await self._render(visit, key, values, {}, sample=sample, test=await self._explain(sample))

    async def _find(self, visit: Visit) -> Document:
        """Give the key, without its token: no page needs it again."""
        key: Document = await visit.api.get(KEYS.at(visit.path("key")))
        return {name: value for name, value in key.items() if name != "token"}

    async def _render_list(self, visit: Visit, values: Document, faults: dict[str, str], status: int = 200) -> Response:
        networks = await list_choices(visit, NETWORKS)
        return visit.render(
            "keys.html",
            status,
            listed=await list_things(visit, KEYS),
            networks=networks,
            names={network["id"]: network["name"] for network in networks},
            presets={f"preset={name}": preset.server for name, preset in sorted(PRESETS.items())},
            values=values,
            faults=faults,
        )

    async def _render(
        self,
        visit: Visit,
        key: Document,
        values: Document,
        faults: dict[str, str],
        status: int = 200,
        *,
        sample: Sample | None = None,
        test: Document | None = None,
    ) -> Response:
        networks = await list_choices(visit, NETWORKS)
        return visit.render(
            "key.html",
            status,
            key=key,
            values=values,
            networks=networks,
            sample=sample or _begin_sample(key, networks, values["verification_code"]),
            test=test,
            faults=faults,
        )


def make_item(field_map: str, serial: str) -> dict[str, Any] | None:
    """Give an uplink of a device as this map reads it; None where the place of its serial says too little for that."""
    path = parse_field_map(field_map).serial
    if path is None:
        return make_sample(serial)
    if not all(map(_PLAIN_KEY.fullmatch, path)):
        return None
    item: Any = serial
    for name in reversed(path):
        item = {name: item}
    return {"temperature": 21.5, **item}


def _begin_sample(key: Document, networks: list[Document], field_map: str) -> Sample:
    """Give what a test begins with: an uplink as the key takes it, of a device that its network could have."""
    network = next((each for each in networks if each["id"] == key["network"]), {})
    serial = rule_of(network).build_example()
    item = make_item(key["verification_code"], serial) or make_sample(serial)
    return Sample(show_json(item), "", field_map, None, None)


def _show_values(key: Document) -> Document:
    expires = key.get("expire_time") or ""
    return {
        **pick(key, "name", "verification_code", "network"),
        "enabled": key["enabled"],
        "expire_time": "" if expires == "never" else expires,
    }
