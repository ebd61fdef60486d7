"""Payload parsers: edited on a page of their own, where they are run on a sample before they are saved."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.responses import Response
from starlette.routing import Route

from common.fields.reading_time import read_time
from common.registry_requests import Document
from console.forms import find_faults
from console.parameters import find_default
from console.refusal import RefusedError, forbidden
from console.things import DEVICES, Kind, owns
from console.visit import Reception, Visit

SHOWN_RECORDS: Final = 200
"""Of what a parser makes of a sample."""

SAMPLE: Final = """[
  {"variable": "payload", "value": "00eb24"},
  {"variable": "port", "value": 2}
]"""

_FIELDS: Final = ("parser", "sample", "params")
_FAULTS: Final = {"payload_decoder": "parser", "payload": "sample", "device": "params"}
_OWN_COLUMNS: Final = frozenset({"variable", "value", "unit"})
_ANY_TIME: Final = datetime.max.replace(tzinfo=UTC)


class ParserRoutes:
    """The page of the parser that a thing of one kind has."""

    def __init__(self, reception: Reception, kind: Kind) -> None:
        self._reception = reception
        self._kind = kind

    @property
    def routes(self) -> list[Route]:
        """What there is to be done."""
        path, admit = f"{self._kind.pages}/{{thing}}/parser", self._reception.admit
        return [
            Route(path, admit(self._show), methods=["GET"]),
            Route(path, admit(self._save), methods=["POST"]),
            Route(f"{path}/run", admit(self._run), methods=["POST"]),
        ]

    async def _show(self, visit: Visit) -> Response:
        thing = await self._find(visit)
        params = await self._list_params(visit, thing)
        values = {
            "parser": show_parser(thing),
            "sample": SAMPLE,
            "params": "\n".join(f"{param['key']}={param['value']}" for param in params),
        }
        return self._render(visit, thing, values)

    async def _save(self, visit: Visit) -> Response:
        thing, values = await self._find(visit), _read_values(visit)
        try:
            await visit.api.change(self._kind.at(thing["id"]), {"payload_decoder": _encode(values["parser"]) or None})
        except RefusedError as refused:
            return self._render(visit, thing, values, refused=refused)
        said = "The payload parser was saved" if values["parser"] else "There is no payload parser any more"
        return visit.redirect(f"{self._kind.page(thing['id'])}/parser", said)

    async def _run(self, visit: Visit) -> Response:
        """Show what the parser of the form, which need not be saved, makes of the sample beside it."""
        thing, values = await self._find(visit), _read_values(visit)
        try:
            outcome = await visit.api.test_parser(self._build_trial(thing, values))
        except RefusedError as refused:
            return self._render(visit, thing, values, refused=refused, undone="Not run")
        return self._render(visit, thing, values, outcome=_show_outcome(outcome, values["parser"]))

    async def _find(self, visit: Visit) -> Document:
        thing: Document = await visit.api.get(self._kind.at(visit.path("thing")))
        if not owns(visit, thing):
            raise forbidden(f"The {self._kind.word} belongs to another profile, which alone sees its parser")
        return thing

    async def _list_params(self, visit: Visit, thing: Document) -> list[Document]:
        """Give the params that a device has, or a new one would have from this network or connector."""
        if self._kind == DEVICES:
            params: list[Document] = await visit.api.get(f"{DEVICES.at(thing['id'])}/params")
            return params
        asked = [(each["name"], find_default(each)) for each in thing.get("device_parameters") or ()]
        return [{"key": name, "value": default} for name, default in asked if default]

    def _build_trial(self, thing: Document, values: Mapping[str, str]) -> Document:
        """Give what the registry is asked to run. Raises RefusedError for a sample or params that cannot be read."""
        device: Document = {"params": _read_params(values["params"])}
        if self._kind == DEVICES:
            device |= {"id": thing["id"], "tags": thing["tags"]}
        return {
            "kind": self._kind.word,
            "payload_decoder": _encode(values["parser"]),
            "payload": _read_sample(values["sample"]),
            "device": device,
        }

    def _render(
        self,
        visit: Visit,
        thing: Document,
        values: Mapping[str, str],
        *,
        refused: RefusedError | None = None,
        undone: str = "Not saved",
        outcome: Document | None = None,
    ) -> Response:
        return visit.render(
            "parser.html",
            200 if refused is None else refused.status,
            kind=self._kind,
            thing=thing,
            page=self._kind.page(thing["id"]),
            values=values,
            outcome=outcome,
            undone=undone,
            faults={} if refused is None else find_faults(refused.message, _FAULTS),
        )


def show_parser(document: Document) -> str:
    """Give a parser's source, empty where there is none."""
    encoded = document.get("payload_decoder")
    return b64decode(encoded).decode() if encoded else ""


def _read_values(visit: Visit) -> dict[str, str]:
    return {name: visit.form.text(name) for name in _FIELDS}


def _encode(source: str) -> str:
    """Give a source as the API takes it; nothing for nothing."""
    return b64encode(f"{source}\n".encode()).decode() if source else ""


def _read_sample(sample: str) -> Any:
    """Read what begins as an array or an object as JSON, and take anything else for text."""
    if not sample.startswith(("[", "{")):
        return sample
    try:
        return orjson.loads(sample)
    except orjson.JSONDecodeError as error:
        raise RefusedError(
            400, f"payload: it is no JSON: {error.msg}, line {error.lineno}, column {error.colno}"
        ) from None


def _read_params(text: str) -> list[Document]:
    """Read ``KEY=VALUE`` lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if wrong := next((line for line in lines if line.find("=") < 1), None):
        raise RefusedError(400, f"device: {wrong!r} must be KEY=VALUE")
    return [{"key": key.strip(), "value": value.strip()} for key, _, value in (line.partition("=") for line in lines)]


def _show_outcome(outcome: Document, source: str) -> Document:
    """Add what a page needs: the line that is at fault, and each record by its columns."""
    lines = source.split("\n")
    line, column = outcome["line"], outcome["column"] or 1
    faulty = lines[line - 1] if line and line <= len(lines) else ""
    return {
        **outcome,
        "before": faulty[: column - 1],
        "after": faulty[column - 1 :],
        "count": len(outcome["records"]),
        "records": [_show_record(record) for record in outcome["records"][:SHOWN_RECORDS]],
    }


def _show_record(record: Document) -> Document:
    moment = read_time(record.get("time"), _ANY_TIME)
    columns = _OWN_COLUMNS if moment is None else _OWN_COLUMNS | {"time"}
    return {
        **{name: record.get(name, "") for name in _OWN_COLUMNS},
        "time": moment,
        "more": {name: value for name, value in record.items() if name not in columns},
    }
