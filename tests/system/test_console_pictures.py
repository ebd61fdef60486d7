"""The pictures of the README, made anew by `make pictures`: a console at work. Imports nothing of Sluice."""

import base64
import os
import random
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support.chromium import open_chromium
from tests.support.console import Running
from tests.support.roles import PROFILE_TOKEN
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.browser

FOLDER = os.environ.get("PICTURES")
"""Where the pictures go; else they are made and thrown away."""

MOST_BYTES = 150_000
"""Of one picture: whoever clones the repository has them all, of every version."""

QUALITY = 82
"""Of WebP: from here on nobody sees a difference in text at this size."""

SIZE: ViewportSize = {"width": 1180, "height": 820}
SCALE = 1.5
"""For screens that show more than one dot for each pixel."""

STATIONS = {f"70B3D57ED000{number:04X}": f"Weather station {number}" for number in range(1, 7)}
RATED_SECONDS = 45.0
"""The console looks every 10 s, and a rate needs two looks."""


class Field:
    """Weather stations behind a gateway, one of which nobody has registered; and a second gateway with a wrong map."""

    def __init__(self, running: Running) -> None:
        self._ingest = httpx.Client(base_url=running.url("ingest"), timeout=30)
        self._stopping = threading.Event()
        self._sending = threading.Thread(target=self._send)
        registry = httpx.Client(base_url=running.url("registry"), headers={"Authorization": PROFILE_TOKEN}, timeout=30)
        with registry:
            self._gateway, self._other = _register(registry)
        self._sending.start()

    def stop(self) -> None:
        self._stopping.set()
        self._sending.join()
        self._ingest.close()

    def _send(self) -> None:
        """Send as a few gateways do: evenly, each uplink of one of the stations."""
        chance = random.Random(1)
        count = 0
        while not self._stopping.wait(0.3):
            count += 1
            serial = "70B3D57ED000FFFF" if count % 25 == 0 else chance.choice([*STATIONS])
            weather = {"temperature": round(chance.uniform(8, 14), 1), "rain": chance.randint(0, 3)}
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            uplink = {"dev_eui": serial, "payload": f"{count:08x}", "port": 2, "time": now, **weather}
            self._ingest.post("/uplink", json=uplink, headers={"Authorization": self._gateway})
            if count % 10 == 5:
                other = {"devaddr": f"2601{count:04X}", **uplink}
                self._ingest.post("/uplink", json=other, headers={"Authorization": self._other})


def _register(registry: httpx.Client) -> tuple[str, str]:
    """Create what the stations need, and give the keys of both gateways."""

    def create(path: str, **document: object) -> dict[str, str]:
        result: dict[str, str] = registry.post(path, json=document).raise_for_status().json()["result"]
        return result

    network = create("/integration/network", name="LoRaWAN, north")["network"]
    connector = create("/integration/connector", name="Weather station", networks=[network])["connector"]
    for serial, name in STATIONS.items():
        create("/device", name=name, network=network, connector=connector, serie_number=serial)
    maps = {"Gateway on the roof": "serial=dev_eui", "Gateway at the harbour": "serial=devaddr"}
    keys = [create("/serviceauth", name=name, network=network, verification_code=each) for name, each in maps.items()]
    return keys[0]["token"], keys[1]["token"]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.process.close()


@pytest.fixture
def field(running: Running) -> Iterator[Field]:
    field = Field(running)
    yield field
    field.stop()


@pytest.fixture
def page(running: Running) -> Iterator[Page]:
    with open_chromium() as browser:
        page = browser.new_page(base_url=running.url("console"), viewport=SIZE, locale="en-GB")
        page.set_default_timeout(DEADLINE_SECONDS * 1_000)
        yield page


@pytest.mark.usefixtures("field")
def test_the_pictures_show_a_console_at_work(page: Page, tmp_path: Path) -> None:
    folder = Path(FOLDER or tmp_path)
    page.goto("/sign-in")
    page.locator("#token").fill(PROFILE_TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/live")
    first, last = page.locator("#serial").bounding_box(), page.get_by_role("button", name="Filter").bounding_box()
    assert first is not None
    assert last is not None
    assert first["y"] < last["y"] + last["height"] / 2 < first["y"] + first["height"], "the filter is one line"
    expect(page.locator("[data-events] tr").nth(12)).to_be_visible(timeout=RATED_SECONDS * 1_000)
    page.locator("[data-events] tr").filter(has_text="serial_unknown").first.wait_for(timeout=RATED_SECONDS * 1_000)
    take_picture(page, folder / "console-live.webp")

    page.goto("/")
    expect(page.get_by_text("Rates over the last")).to_be_visible(timeout=RATED_SECONDS * 1_000)
    take_picture(page, folder / "console-overview.webp")

    page.goto("/dead?reason=serial_unknown")
    letters = page.get_by_role("row").filter(has_text="Gateway at the harbour")
    letters.locator("a[href^='/dead/letters/']").first.click()
    page.locator("html.scripted").wait_for()
    page.locator("[name=verification_code]").fill("serial=dev_eui")
    expect(page.locator("#tried")).to_contain_text(re.compile(r"from the body at\s+dev_eui"))
    page.evaluate("scrollTo(0, 0)")
    take_picture(page, folder / "console-dead-letter.webp")


def take_picture(page: Page, path: Path) -> None:
    """Write what the window shows. Playwright itself writes PNG and JPEG alone."""
    options = {"format": "webp", "quality": QUALITY, "clip": {"x": 0, "y": 0, "scale": SCALE, **SIZE}}
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", options)
    picture = base64.b64decode(taken["data"])
    assert picture[8:12] == b"WEBP"
    assert len(picture) < MOST_BYTES, f"{path.name} has {len(picture):,} bytes"
    path.write_bytes(picture)
