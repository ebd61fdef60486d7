"""A device's page: its params, as network and connector ask for them, and its data of the last hours."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.device_data import MOST_RECORDS
from console.params import find_changes, list_fields
from registry.first_start import FirstStart
from tests.unit.console.browser import Browser, read_text
from tests.unit.registry.api import Api

MODE = {
    "name": "mode",
    "label": "Mode of work",
    "type": "dropdown",
    "options": [{"label": "First", "value": "a"}, {"label": "Second", "value": "b", "is_default": True}],
}
OFFSET = {"name": "offset", "type": "number", "group": "advanced"}
SWITCH = {"name": "on", "type": "switch", "default": True}
HIDDEN = {"name": "secret", "type": "text", "group": "hide", "default": "kept"}


@pytest.fixture
async def device(api: Api, first: FirstStart) -> str:
    """A device that is asked for four params, two by its network and two by its connector."""
    await api.put(f"/integration/network/{first.network_id}", device_parameters=[MODE, HIDDEN])
    await api.put(f"/integration/connector/{first.connector_id}", device_parameters=[OFFSET, SWITCH])
    new = {"name": "Probe", "network": first.network_id, "connector": first.connector_id, "serie_number": "A1"}
    device_id: str = (await api.create("/device", **new))["device_id"]
    return device_id


async def save(browser: Browser, device: str, first: FirstStart, rows: list[tuple[str, str, str]]) -> tuple[int, str]:
    """Save the form of the device with these rows of id, key and value; give status and page."""
    path = f"/devices/{device}"
    ids, keys, values = (list(column) for column in zip(*rows, strict=True))
    fields = {"name": "Probe", "connector": first.connector_id, "serie_number": "A1", "active": "on"}
    response = await browser.submit(path, on=path, **fields, param_id=ids, param_key=keys, param_value=values)
    return response.status_code, response.text


async def read_params(api: Api, device: str) -> dict[str, str]:
    return {param["key"]: param["value"] for param in await api.get(f"/device/{device}/params")}


async def test_params_are_asked_for_by_label_type_and_group(browser: Browser, device: str) -> None:
    page = await browser.open(f"/devices/{device}")
    assert "Mode of work" in page
    assert '<option value="b" selected>Second</option>' in page
    assert '<option value="true" selected>on</option>' in page
    assert 'inputmode="decimal"' in page
    assert "<details><summary>Advanced</summary>" in page
    assert "kept" not in page


async def test_params_are_set_changed_added_and_removed_with_the_device(
    browser: Browser, api: Api, device: str, first: FirstStart
) -> None:
    ids = {param["key"]: param["id"] for param in await api.get(f"/device/{device}/params")}
    await api.post(f"/device/{device}/params", [{"id": ids["mode"], "sent": True}, {"id": ids["on"], "sent": True}])
    rows = [
        (ids["mode"], "mode", "a"),
        (ids["on"], "on", "true"),
        ("", "offset", "1.5"),
        ("", "own", "x"),
        ("", "", ""),
    ]
    status, page = await save(browser, device, first, rows)
    assert (status, "The device was saved" in read_text(page)) == (200, True)
    params = {param["key"]: param for param in await api.get(f"/device/{device}/params")}
    assert await read_params(api, device) == {"mode": "a", "on": "true", "offset": "1.5", "own": "x", "secret": "kept"}
    assert {key: param["sent"] for key, param in params.items()} == {
        "mode": False, "on": True, "offset": False, "own": False, "secret": False
    }  # fmt: skip

    rows = [(params["on"]["id"], "on", ""), (params["own"]["id"], "", "x"), (params["offset"]["id"], "offset", "2")]
    await save(browser, device, first, rows)
    assert await read_params(api, device) == {"mode": "a", "offset": "2", "secret": "kept"}


async def test_a_param_that_is_removed_and_added_again_in_one_save_is_there(
    browser: Browser, api: Api, device: str, first: FirstStart
) -> None:
    ids = {param["key"]: param["id"] for param in await api.get(f"/device/{device}/params")}
    status, _ = await save(browser, device, first, [(ids["mode"], "", "b"), ("", "mode", "a")])
    assert status == 200
    assert await read_params(api, device) == {"mode": "a", "on": "true", "secret": "kept"}


async def test_what_is_wrong_is_said_at_each_param_and_nothing_is_saved_or_lost(
    browser: Browser, api: Api, device: str, first: FirstStart
) -> None:
    ids = {param["key"]: param["id"] for param in await api.get(f"/device/{device}/params")}
    rows = [(ids["mode"], "mode", "c"), ("", "offset", "warm"), ("", "own", "typed"), ("", "", "")]
    status, page = await save(browser, device, first, rows)
    assert status == 400
    faults = dict(re.findall(r'id="(param-\d)-fault">([^<]+)<', page))
    assert faults == {"param-1": "must be one of a, b", "param-2": "must be a number"}
    assert "<details open>" in page
    assert all(f'value="{value}"' in page for value in ("warm", "own", "typed"))
    assert "<option selected>c</option>" in page
    assert await read_params(api, device) == {"mode": "b", "on": "true", "secret": "kept"}
    status, page = await save(browser, device, first, [(ids["on"], "mode", "a")])
    assert (status, "&#39;mode&#39; is there twice" in page) == (400, True)


def test_a_param_that_a_form_cannot_show_as_it_is_counts_as_unchanged() -> None:
    params = [{"id": "1", "key": "text", "value": " two\nlines "}]
    _, (field, further) = list_fields([], params)
    assert (field.value, further.id) == (" two\nlines ", "")
    assert find_changes([], params, [{"id": "1", "key": "text", "value": "two\nlines"}]).put == []


async def test_a_connector_s_parameter_counts_where_the_network_has_the_same(
    browser: Browser, api: Api, device: str, first: FirstStart
) -> None:
    await api.put(f"/integration/connector/{first.connector_id}", device_parameters=[{**MODE, "label": "Its mode"}])
    page = await browser.open(f"/devices/{device}")
    assert ("Its mode" in page, "Mode of work" in page) == (True, False)


async def test_a_serial_that_is_not_asked_for_is_not_lost(browser: Browser, api: Api) -> None:
    network = (await api.create("/integration/network", name="Plain"))["network"]
    connector = (await api.create("/integration/connector", name="Plain", networks=[network]))["connector"]
    new = {"name": "Plain", "network": network, "connector": connector}
    assert "serie_number" not in await browser.open(f"/devices/new?network={network}")
    without = (await api.create("/device", **new))["device_id"]
    assert "serie_number" not in await browser.open(f"/devices/{without}")
    device = (await api.create("/device", **new, serie_number="a1"))["device_id"]
    assert 'name="serie_number"' in await browser.open(f"/devices/{device}")
    await browser.submit(f"/devices/{device}", on=f"/devices/{device}", name="Plain 2", connector=connector)
    changed = await api.get(f"/device/{device}")
    assert (changed["name"], changed["serie_number"]) == ("Plain 2", "a1")


async def test_what_is_wrong_with_a_serial_is_said_at_its_field_whole(
    browser: Browser, api: Api, first: FirstStart
) -> None:
    rule = {"mask": "FF-FF", "case": "upper"}
    await api.put(f"/integration/network/{first.network_id}", serial_number=rule)
    path = f"/devices/new?network={first.network_id}"
    new = {"name": "Probe", "network": first.network_id, "connector": first.connector_id, "serie_number": "0g"}
    response = await browser.submit("/devices/new", on=path, **new)
    found = re.search(r'id="serie_number-fault">([^<]+)<', response.text)
    assert found is not None
    assert found[1].endswith("has 2 characters (hyphens not counted), not 4; the form is FF-FF")
    assert "Not saved: see what is marked below." in read_text(response.text)


# Data


async def post(api: Api, device: str, *records: dict[str, Any]) -> None:
    await api.post(f"/device/{device}/data", list(records))


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


async def test_data_of_a_period_is_drawn_and_listed(browser: Browser, api: Api, device: str) -> None:
    await post(
        api,
        device,
        *({"variable": "level", "value": value, "time": ago(minutes=value)} for value in (10, 20)),
        {"variable": "old", "value": 1, "time": ago(hours=3)},
        {"variable": "place", "location": {"lat": 47.5, "lng": 8.25}, "time": ago(hours=30)},
        {"variable": "switch", "value": True, "time": ago(minutes=1)},
    )
    path = f"/devices/{device}"
    day = await browser.open(path)
    assert "4 records of the last 24 hours." in read_text(day)
    assert "10 to 20" in read_text(day)
    assert '<td class="number">20</td>' in day
    assert "<td>true</td>" in day
    assert "3 records of the last hour." in read_text(await browser.open(f"{path}?hours=1"))
    assert "place 47.5, 8.25" in read_text(await browser.open(f"{path}?hours=168"))
    assert "4 records of the last 24 hours." in read_text(await browser.open(f"{path}?hours=nonsense"))


async def test_a_period_without_data_says_when_there_was_some(browser: Browser, api: Api, device: str) -> None:
    await post(api, device, {"variable": "level", "value": 1, "time": ago(hours=3)})
    assert "Nothing of the last hour. The device was last seen" in read_text(
        await browser.open(f"/devices/{device}?hours=1")
    )


async def test_a_long_table_is_paged_within_its_period(browser: Browser, api: Api, device: str) -> None:
    records = [{"variable": "level", "value": n, "time": ago(seconds=n)} for n in range(1, MOST_RECORDS + 2)]
    for part in (records[:600], records[600:]):
        await post(api, device, *part)
    path = f"/devices/{device}?hours=6"
    first_page = await browser.open(path)
    assert "1,000 records of the last 6 hours, the newest: there are more." in read_text(first_page)
    following = re.search(r'href="([^"]+)" rel="next"', first_page)
    assert following is not None
    second = await browser.open(following[1].replace("&amp;", "&"))
    assert ('<td class="number">51</td>' in second, '<td class="number">50</td>' in second) == (True, False)
    assert 'rel="next"' not in await browser.open(f"{path}&page=20")
    assert "Nothing more of the last 6 hours." in read_text(await browser.open(f"{path}&page=21"))
