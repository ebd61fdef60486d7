"""Lists: their pages, their order, their filters."""

import pytest

from registry.first_start import FirstStart
from tests.unit.registry.api import Api


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["A", "B", "C", "Generic Endpoint"]),
        ("?orderBy=name,desc", ["Generic Endpoint", "C", "B", "A"]),
        ("?orderBy=created_at,asc", ["Generic Endpoint", "C", "A", "B"]),
        ("?amount=2", ["A", "B"]),
        ("?amount=2&page=2", ["C", "Generic Endpoint"]),
        ("?amount=2&page=3", []),
    ],
)
async def test_a_list_comes_in_pages_and_in_order(api: Api, query: str, names: list[str]) -> None:
    for name in ("C", "A", "B"):
        await api.create("/integration/network", name=name)
    assert [network["name"] for network in await api.get(f"/integration/network{query}")] == names


async def test_connectors_keep_their_networks_on_every_page(api: Api, first: FirstStart) -> None:
    await api.create("/integration/connector", name="A", networks=[first.network_id])
    (connector,) = await api.get("/integration/connector?amount=1&page=2")
    assert (connector["name"], connector["networks"]) == ("Generic Sensor", [first.network_id])


@pytest.mark.parametrize("path", ["/integration/network", "/integration/connector"])
async def test_a_list_holds_the_fields_that_were_asked_for(api: Api, path: str) -> None:
    (entry,) = await api.get(f"{path}?fields[0]=id&fields[1]=name&page=1&amount=20&orderBy=name,asc")
    assert set(entry) == {"id", "name"}


@pytest.mark.parametrize("path", ["/device", "/serviceauth", "/integration/network", "/integration/connector"])
async def test_a_filter_that_there_is_not_is_refused_and_not_ignored(api: Api, path: str) -> None:
    status, message = await api.refuse("GET", f"{path}?filter[token]=A")
    assert status == 400
    assert message.startswith("filter[token] is not supported: filter by one of id, name")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("filter[name]=cellar", ["Cellar"]),
        ("filter[name]=*E*", ["Cellar", "Shed"]),
        ("filter[name]=%25", []),
        ("filter[active]=false", ["Shed"]),
        ("serial=S2", ["Shed"]),
        ("filter[serie_number]=S1", ["Cellar"]),
        ("filter[tags][0][key]=room", ["Cellar", "Shed"]),
        ("filter[tags][0][value]=cold", ["Cellar"]),
        ("filter[tags][0][value]=COLD", []),
        ("filter[tags][0][key]=room&filter[tags][0][value]=cold", ["Cellar"]),
        ("filter[tags][0][key]=room&filter[tags][1][value]=warm", ["Shed"]),
        ('filter[tags][0][key]=x","value":"cold', []),
        ("orderBy=active,desc", ["Cellar", "Shed"]),
        ("orderBy=last_input,asc", ["Cellar", "Shed"]),
    ],
)
async def test_devices_are_filtered_and_ordered_as_the_official_clients_ask(
    api: Api, first: FirstStart, query: str, names: list[str]
) -> None:
    place = {"network": first.network_id, "connector": first.connector_id}
    for name, serial, active, room in (("Cellar", "S1", True, "cold"), ("Shed", "S2", False, "warm")):
        tags = [{"key": "room", "value": room}, {"key": "x", "value": "y"}]
        await api.create("/device", name=name, serie_number=serial, active=active, tags=tags, **place)
    assert [device["name"] for device in await api.get(f"/device?{query}")] == names


@pytest.mark.parametrize("name", ["Übergabe", "übergabe", "ÜBERGABE", "*BERG*", "*ÜB*"])
async def test_a_name_is_found_without_regard_to_case_in_every_script(api: Api, name: str) -> None:
    await api.create("/integration/network", name="Übergabe")
    assert [network["name"] for network in await api.get(f"/integration/network?filter[name]={name}")] == ["Übergabe"]


async def test_a_question_with_a_nul_character_is_refused(api: Api) -> None:
    status, message = await api.refuse("GET", "/device?filter[name]=%00")
    assert (status, message[:17]) == (400, "The query string ")
