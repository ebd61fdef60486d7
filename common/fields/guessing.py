"""Which preset fits a body that came: for each network server, how much of what it sends is there. Pure."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from common.envelope import Item, Query
from common.fields.encoding import base64_to_hex
from common.fields.field_map import FieldMap, parse_field_map
from common.fields.field_path import Path, parse_path, walk
from common.fields.finding import (
    Found,
    find_payload,
    find_payload_encoding,
    find_port,
    find_serial,
    find_set_aside,
    find_time,
)
from common.fields.presets import PRESETS
from common.fields.set_aside import Condition

LEAST_SHARE = 0.5
"""Of what a server sends, at least as much must be there; less is a resemblance."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well one preset fits. ``found`` and ``missing`` are the paths that its server's items have.

    ``set_aside_by`` is by what the item is known as no uplink; the payload, port and time are not looked for then.
    """

    preset: str
    server: str
    found: tuple[str, ...]
    missing: tuple[str, ...]
    set_aside_by: Condition | None

    @property
    def share(self) -> float:
        """How much of what the server sends is there, of 1."""
        return len(self.found) / (len(self.found) + len(self.missing))


def rank_presets(document: Any, query: Query, arrived_at: datetime) -> list[Fit]:
    """Give the presets that fit the body of a request, the best first; a batch is judged by its first item."""
    fits = [fit for name in PRESETS if (fit := _judge(name, document, query, arrived_at)) is not None]
    return sorted(fits, key=lambda fit: (-fit.share, -len(fit.found)))


def find_common_names(document: Any, query: Query) -> tuple[str, ...]:
    """Give the common names under which a body has its serial and, where it has one, its payload.

    None where there is no serial: then a map is needed. A batch is judged by its first item.
    """
    item = _choose_item(document, FieldMap())
    if item is None:
        return ()
    serial, payload = find_serial(FieldMap(), item, query), find_payload(FieldMap(), item, query)
    if not isinstance(serial, Found):
        return ()
    return tuple(_dot(found.path) for found in (serial, payload) if isinstance(found, Found))


@cache
def _parse_preset(name: str) -> FieldMap:
    return parse_field_map(f"preset={name}")


def _judge(name: str, document: Any, query: Query, arrived_at: datetime) -> Fit | None:
    field_map = _parse_preset(name)
    item = _choose_item(document, field_map)
    if item is None:
        return None
    wanted: dict[str, bool] = {_dot(field_map.serial): isinstance(find_serial(field_map, item, {}), Found)}
    set_aside_by = find_set_aside(field_map, item, query)
    if set_aside_by is None:
        wanted |= _look_for_rest(field_map, item, arrived_at)
        wanted |= {mark: _is_there(item, parse_path(mark)) for mark in PRESETS[name].marks}
    elif set_aside_by.sign is None:  # a field that no other server has, and of such an item perhaps the only one
        wanted = {path: True for path, there in wanted.items() if there} | {str(set_aside_by): True}
    fit = Fit(name, PRESETS[name].server, _keys(wanted, there=True), _keys(wanted, there=False), set_aside_by)
    is_recognised = fit.share >= LEAST_SHARE and (set_aside_by is not None or _dot(field_map.serial) in fit.found)
    return fit if is_recognised else None


def _choose_item(document: Any, field_map: FieldMap) -> Item:
    """Give what would be one uplink under this map; None where there is none."""
    if isinstance(document, list) and not field_map.array_is_one:
        document = next(iter(document), None)
    return document if isinstance(document, list if field_map.array_is_one else dict) else None


def _look_for_rest(field_map: FieldMap, item: Item, arrived_at: datetime) -> dict[str, bool]:
    """Say of each further path that the preset names whether it leads to something usable."""
    payload = find_payload(field_map, item, {})
    decodes = isinstance(payload, Found) and _decodes(payload.value, find_payload_encoding(field_map, item))
    port, time = find_port(field_map, item, {}), find_time(field_map, item, {}, arrived_at)
    looked_for = {
        field_map.payload: decodes,
        field_map.port: isinstance(port, Found),
        field_map.time: isinstance(time, Found),
    }
    return {_dot(path): is_there for path, is_there in looked_for.items() if path is not None}


def _decodes(payload: str, encoding: str) -> bool:
    try:
        return encoding == "hex" or bool(base64_to_hex(payload))
    except ValueError:
        return False


def _is_there(item: Item, path: Path) -> bool:
    return walk(item, path)[2] == len(path)


def _dot(path: Path | None) -> str:
    return ".".join(path or ())


def _keys(wanted: dict[str, bool], *, there: bool) -> tuple[str, ...]:
    return tuple(path for path, is_there in wanted.items() if is_there == there)
