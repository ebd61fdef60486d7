"""What pages show: images, figures beside their words, when a device was last seen, and what to do where nothing is."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from common.queue.protocol import Depths
from console.processes import LOOK_SECONDS, Look, Processes, parse_process
from console.service import Console
from console.things import PAGE_ROWS
from registry.first_start import FirstStart
from tests.support.queues import FakeQueue
from tests.unit.console.browser import Browser, read_text
from tests.unit.registry.api import Api

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"
METRICS = """
sluice_process_start_time_seconds 1.7e+09
sluice_uplinks_accepted_total {accepted}
sluice_uplinks_delivered_total {delivered}
sluice_uplinks_dead_total{{reason="serial_unknown"}} {dead}
sluice_uplinks_set_aside_total {set_aside}
sluice_uplinks_retried_total {retried}
sluice_oldest_uplink_age_seconds {age}
"""


async def upload(browser: Browser, path: str, file: str, **fields: str) -> str:
    """Send the form of a network with a file, and give the page that follows."""
    data = {"form_token": await browser.form_token(path), **fields}
    response = await browser.client.post(path, data=data, files={file: ("image.png", PNG)})
    assert response.status_code == 200, read_text(response.text)
    return response.text


async def find_image(browser: Browser, page: str, kind: str) -> str:
    """Give the address of the one image of a kind in a page, once it has been seen there."""
    (address,) = re.findall(rf'<img class="{kind}" src="([^"]+)"', page)
    assert (await browser.client.get(address)).content == PNG
    return str(address)


async def find_other(api: Api) -> str:
    """Give the id of the other profile."""
    return next(str(each["id"]) for each in await api.get("/profile") if each["name"] == "Other")


async def add_device(api: Api, first: FirstStart, name: str = "Probe", serial: str = "A1") -> str:
    """Create a device, and give its path."""
    new = {"name": name, "network": first.network_id, "connector": first.connector_id, "serie_number": serial}
    return f"/devices/{(await api.create('/device', **new))['device_id']}"


@pytest.mark.parametrize("kind", ["banner", "icon"])
async def test_an_image_of_a_network_is_uploaded_and_stands_in_its_page(
    browser: Browser, first: FirstStart, kind: str
) -> None:
    path = f"/networks/{first.network_id}"
    page = await upload(browser, path, kind, name="Mill")
    assert "The network was saved" in read_text(page)
    address = await find_image(browser, page, kind)
    assert address == f"/file/{first.profile_id}{path}/{kind}_url"
    await browser.submit(path, on=path, name="Mill 2", **{f"{kind}_url": address})
    assert await find_image(browser, await browser.open(path), kind) == address
    assert (f'<img class="icon" src="{address}"' in await browser.open("/networks")) is (kind == "icon")


async def test_a_serial_is_asked_for_with_the_image_and_the_help_of_the_network(
    browser: Browser, api: Api, first: FirstStart
) -> None:
    device = await add_device(api, first)
    network = f"/networks/{first.network_id}"
    fields = {"name": "Mill", "serial": "on", "serial_label": "EUI", "serial_help": "Under <the> lid"}
    await upload(browser, network, "serial_image_file", **fields)
    refused = await browser.submit(device, on=device, name=" ", connector=first.connector_id, serie_number="A1")
    assert refused.status_code == 400
    new = await browser.open(f"/devices/new?network={first.network_id}")
    for page in (new, await browser.open(device), refused.text):
        field = page[page.index('name="serie_number"') : page.index('<label for="description"')]
        assert '<p class="hint">Under &lt;the&gt; lid</p>' in field
        assert await find_image(browser, field, "serial-image") == f"/file/{first.profile_id}{network}/image"


async def test_a_shared_connector_is_seen_and_not_changed(
    browser: Browser, other: Browser, api: Api, first: FirstStart
) -> None:
    profile, path = await find_other(api), f"/connectors/{first.connector_id}"
    await api.put(f"/integration/connector/{first.connector_id}", description="Measures")
    refused = await browser.submit(f"{path}/shares", on=path, share_profile=profile)
    assert "Not shared: profile: it may use none of this connector's networks" in read_text(refused.text)
    assert (await other.client.get(path)).status_code == 404
    await api.post(f"/integration/network/{first.network_id}/share", {"profile": profile})
    shared = read_text((await browser.submit(f"{path}/shares", on=path, share_profile=profile)).text)
    assert ("The connector is shared" in shared, f"Other {profile}" in shared) == (True, True)

    page = await other.open(path)
    assert "Measures It belongs to another profile, which alone may change it." in read_text(page)
    assert ("Save the connector" in page, f'action="{path}' in page) == (False, False)
    saved = await other.submit(path, name="Stolen", networks=first.network_id)
    assert saved.status_code == 403
    assert (await api.get(f"/integration/connector/{first.connector_id}"))["name"] == "Generic Sensor"

    assert "End this share?" in await browser.open(f"{path}/shares/{profile}/remove")
    assert await other.open(path)
    ended = await browser.submit(f"{path}/shares/{profile}/remove", on=path)
    assert ("The share has ended" in ended.text, profile in ended.text) == (True, False)
    assert (await other.client.get(path)).status_code == 404


def build_look(at: datetime, depths: Depths | None = None, **figures: float) -> Look:
    """Give a look at one worker, which has counted this by then."""
    counted = dict.fromkeys(("accepted", "delivered", "dead", "set_aside", "retried", "age"), 0.0) | figures
    readiness = {"status": True, "role": "worker", "draining": False, "degraded": []}
    return Look(at, [parse_process("http://worker", readiness, METRICS.format(**counted))], depths)


async def watch(processes: Processes, looks: list[Look], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes take these looks, at once."""
    coming = iter(looks)

    async def look() -> Look:
        if found := next(coming, None):
            return found
        raise EOFError

    with monkeypatch.context() as patched:
        patched.setattr("console.processes.LOOK_SECONDS", 0)
        patched.setattr(processes, "look", look)
        with pytest.raises(EOFError):
            await processes.watch()


async def test_each_number_of_the_overview_stands_beside_its_own_word(
    browser: Browser, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths = Depths(work=1_000, retry=31, suspects=200, poison=40_000, dead=500_000)
    now = build_look(NOW, depths, accepted=22, delivered=24, dead=26, set_aside=28, retried=30, age=16.5)
    before = [build_look(NOW - timedelta(minutes=minutes), age=age) for minutes, age in ((4, 0.0), (2, 18.5))]
    assert "Rates begin with the second look" in await browser.open("/")
    await watch(console._processes, [*before, now], monkeypatch)

    async def look() -> Look:
        return now

    monkeypatch.setattr(console._processes, "look", look)
    for page in (await browser.open("/"), f"<main{await browser.open('/overview')}"):
        assert (
            "Where the uplinks are"
            " Accepted 5.5 a minute Queued 1,200 messages Delivered 6.0 a minute"
            " Retrying 31 messages Dead 6.5 a minute Set aside 7.0 a minute"
            " Rates over the last 4 minutes that this console has looked, an hour at most."
            " How long the oldest uplink waits 16.5 s now, 18.5 s at most within the hour."
        ) in read_text(page)
        assert '<polyline points="0.0,2.0 360.0,8.3"/>' in page


async def test_what_was_counted_is_kept_for_an_hour_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes([], FakeQueue())
    looks = [build_look(NOW + timedelta(seconds=LOOK_SECONDS * each)) for each in range(400)]
    await watch(processes, looks, monkeypatch)
    assert sum(growth.seconds for growth in processes.growths) == 3_600
    assert [growth.at for growth in processes.growths] == [each.at for each in looks[-len(processes.growths) :]]


async def test_where_there_is_nothing_the_page_says_what_to_do_first(
    browser: Browser, other: Browser, api: Api, first: FirstStart
) -> None:
    said = "There is no device yet. Add one with the serial that it sends; then create an authorization key"
    assert said in await browser.open("/devices")
    assert "There is no key yet. Create one above, and give it to the service" in await browser.open("/keys")
    assert "There is no connector yet" not in await other.open("/connectors")
    await api.post(f"/integration/network/{first.network_id}/share", {"profile": await find_other(api)})
    assert "There is no connector yet. Add one above, and then devices." in await other.open("/connectors")

    connector, device = f"/connectors/{first.connector_id}", await add_device(api, first)
    network = (await browser.submit("/networks", name="Mill")).url.path
    for kind, page in (("network", network), ("connector", connector)):
        assert f"Only this profile uses the {kind}. Another one" in await browser.open(page)
    for path in (network, device):
        assert "There is no token" not in await browser.open(path)
        (removal,) = re.findall(rf'href="({path}/tokens/[^"]+)"', await browser.open(path))
        removed = await browser.submit(removal, on=path)
        assert "There is no token. Create one below: it is shown once." in removed.text


@pytest.mark.parametrize("page", ["/connectors", "/devices", "/keys"])
async def test_every_long_list_is_paged_and_searched(browser: Browser, api: Api, first: FirstStart, page: str) -> None:
    for index in range(PAGE_ROWS + 1):
        name = f"Item {index:03}"
        if page == "/connectors":
            await api.create("/integration/connector", name=name, networks=[first.network_id])
        elif page == "/devices":
            await add_device(api, first, name, f"{index:04}")
        else:
            await api.create("/serviceauth", name=name, network=first.network_id)
    await api.put(f"/integration/connector/{first.connector_id}", name="Zero")  # the last by its name
    first_page, second = await browser.open(page), await browser.open(f"{page}?page=2")
    assert [f">Item {index:03}<" in first_page for index in (0, 49, 50)] == [True, True, False]
    assert (f'href="{page}?page=2" rel="next"' in first_page, 'rel="prev"' in first_page) == (True, False)
    assert [f">Item {index:03}<" in second for index in (49, 50)] == [False, True]
    assert (f'href="{page}?page=1" rel="prev"' in second, 'rel="next"' in second) == (True, False)
    found = await browser.open(f"{page}?name=ITEM 04")
    assert (">Item 049<" in found, ">Item 030<" in found) == (True, False)
    assert "has that name." in await browser.open(f"{page}?name=nothing")


async def test_a_device_was_last_seen_when_it_sent_and_not_when_its_data_are_of(
    browser: Browser, api: Api, first: FirstStart
) -> None:
    path, silent = await add_device(api, first), await add_device(api, first, "Silent", "A2")
    assert "last seen never" in read_text(await browser.open(path))
    begun = datetime.now(UTC).replace(microsecond=0)
    await api.post(f"/device/{path.rpartition('/')[2]}/data", [{"variable": "x", "value": 1, "time": "2025-01-01"}])
    (moment, *again) = re.findall(r'last seen <time datetime="([^"]+)"', await browser.open(path))
    assert again == [moment]  # there is nothing of the last hours
    assert begun <= datetime.fromisoformat(moment) <= datetime.now(UTC)
    listed = await browser.open("/devices")
    for device, seen in ((path, f'<time datetime="{moment}"'), (silent, '<span class="none">never</span>')):
        assert listed.partition(f'<a href="{device}">')[2].partition("</tr>")[0].count(seen) == 1
