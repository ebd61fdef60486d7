"""Which preset fits a body."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from common.fields.guessing import Fit, rank_presets

DATA = Path(__file__).parents[3] / "data"
ARRIVED_AT = datetime(2026, 11, 21, 1, 23, 45, tzinfo=UTC)

UPLINKS = [(path.stem.removesuffix("-decoded"), path) for path in sorted((DATA / "uplinks").iterdir())]


def guess(document: Any, query: dict[str, str | list[str]] | None = None) -> list[Fit]:
    return rank_presets(document, query or {}, ARRIVED_AT)


@pytest.mark.parametrize(("name", "path"), UPLINKS)
def test_the_uplink_of_each_server_is_recognised_and_no_other_fits_as_well(name: str, path: Path) -> None:
    best, *others = guess(orjson.loads(path.read_bytes()))
    assert best.preset == name
    assert best.set_aside_by is None
    assert all(other.share < best.share for other in others)


@pytest.mark.parametrize(
    ("name", "item"),
    [
        (path.stem, item)
        for path in sorted((DATA / "set_aside").iterdir())
        for item in orjson.loads(path.read_bytes())
        if item.get("type") != "error"  # of Everynet, about no device: there is nothing to know it by
    ],
)
def test_an_item_that_is_no_uplink_is_recognised_too(name: str, item: Any) -> None:
    fits = guess(item)
    assert name in [fit.preset for fit in fits[:2]]
    assert all(fit.set_aside_by is not None for fit in fits if fit.preset == name)


def test_a_batch_is_judged_by_its_first_item() -> None:
    item = orjson.loads((DATA / "uplinks" / "loriot.json").read_bytes())
    assert guess([item, {"x": 1}])[0].preset == "loriot"


def test_the_event_in_the_query_tells_an_uplink_from_the_rest() -> None:
    item = orjson.loads((DATA / "uplinks" / "chirpstack-v4.json").read_bytes())
    assert guess(item, {"event": "up"})[0].set_aside_by is None
    assert str(guess(item, {"event": "join"})[0].set_aside_by) == "event!=up"


def test_a_fit_names_what_is_there_and_what_is_not() -> None:
    item = orjson.loads((DATA / "uplinks" / "chirpstack-v4.json").read_bytes())
    del item["fPort"]
    fit = guess(item)[0]
    assert "deviceInfo.devEui" in fit.found
    assert fit.missing == ("fPort",)
    assert 0.5 < fit.share < 1


def test_a_payload_that_does_not_decode_speaks_against_a_preset() -> None:
    item = orjson.loads((DATA / "uplinks" / "chirpstack-v4.json").read_bytes())
    assert "data" in guess(item | {"data": "?"})[0].missing


@pytest.mark.parametrize("document", [{}, [], None, 5, "x", [5], {"serial": "S", "payload": "00"}, {"type": "x"}])
def test_a_body_of_nobody_we_know_fits_no_preset(document: Any) -> None:
    assert guess(document) == []
