"""The live inspector while ten thousand uplinks a minute go by. Imports nothing of Sluice."""

import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import httpx
import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from tests.support.console import Running
from tests.support.roles import PROFILE_TOKEN

pytestmark = pytest.mark.browser

UPLINKS = 17
REQUESTS = 240
REQUEST_SECONDS = 0.1
"""170 uplinks a second, for 24 seconds; each of them is told of four times."""

EVENTS = UPLINKS * REQUESTS * 4
EVENTS_A_MINUTE = 10_000

ROWS = 200
GROWTH = 2.0
"""By how much an event may cost the page more at the end than at the beginning. What grows with the page's age would
be many times that, and a measurement of seconds is not exact."""

BUSY = 0.8
"""Part of its main thread's time that the page may take; what is left answers whoever uses it."""

FRAME_MILLISECONDS = 250
"""Between two frames, usually: from here on a page feels slow. Two cores also bear Sluice itself meanwhile."""

RECORD_FRAMES = """() => {
  window.gaps = [];
  let last = performance.now();
  const note = (now) => { window.gaps.push(now - last); last = now; requestAnimationFrame(note); };
  requestAnimationFrame(note);
}"""


class Gateway:
    """Sends at a steady rate, late requests at once: the rate is that of the whole."""

    def __init__(self, url: str, key: str) -> None:
        self.done = threading.Event()
        self.refused: list[int] = []
        self._client = httpx.Client(base_url=url, headers={"Authorization": key}, timeout=30)
        self._thread = threading.Thread(target=self._send_all, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.done.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.close()

    def send(self, serial: str, count: int = 1) -> int:
        body = [{"devaddr": serial, "temperature": 20 + number / 10} for number in range(count)]
        return self._client.post("/uplink", json=body).status_code

    def _send_all(self) -> None:
        began = time.monotonic()
        for number in range(REQUESTS):
            if self.done.wait(max(0.0, began + number * REQUEST_SECONDS - time.monotonic())):
                return
            status = self.send("0A1B", UPLINKS)
            if status != httpx.codes.ACCEPTED:
                self.refused.append(status)


@dataclass(frozen=True)
class Cost:
    """What the page has taken of its main thread's processor time, for how many events."""

    events: int
    own_seconds: float
    all_seconds: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            self.events - other.events, self.own_seconds - other.own_seconds, self.all_seconds - other.all_seconds
        )

    @property
    def per_event(self) -> float:
        return self.own_seconds / self.events


def register(running: Running) -> str:
    """Create a device and a key; gives the key."""
    with httpx.Client(base_url=running.url("registry"), headers={"Token": PROFILE_TOKEN}, timeout=30) as registry:

        def find(path: str) -> str:
            return str(registry.get(path).raise_for_status().json()["result"][0]["id"])

        network = find("/integration/network")
        device = {"network": network, "connector": find("/integration/connector"), "name": "P", "serie_number": "0A1B"}
        registry.post("/device", json=device).raise_for_status()
        key = {"name": "Gateway", "network": network, "verification_code": "serial=devaddr"}
        return str(registry.post("/serviceauth", json=key).raise_for_status().json()["result"]["token"])


def read_number(shown: Locator) -> int:
    """Give the first number of a text; 0 where there is none."""
    found = re.search(r"\d[\d,]*", shown.text_content() or "")
    return int(found[0].replace(",", "")) if found else 0


def measure(page: Page, devtools: CDPSession) -> Cost:
    metrics = {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}
    own = sum(metrics[name] for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))
    return Cost(read_number(page.locator("[data-count]")), own, metrics["TaskDuration"])


def wait_for_events(page: Page, gateway: Gateway, number: int) -> None:
    """Wait until the page has seen so many events, those included of which it says that it missed them."""
    deadline = time.monotonic() + 120
    count, missed = page.locator("[data-count]"), page.locator("[data-missed]")
    while read_number(count) + read_number(missed) < number:
        assert time.monotonic() < deadline, f"{count.text_content()}, {missed.text_content()}, {gateway.refused}"
        page.wait_for_timeout(100)


@pytest.fixture
def gateway(running: Running) -> Iterator[Gateway]:
    gateway = Gateway(running.url("ingest"), register(running))
    yield gateway
    gateway.close()


def test_the_page_keeps_up_with_ten_thousand_uplinks_a_minute(gateway: Gateway, page: Page) -> None:
    """An event costs the page no more at the end than at the beginning, and whoever uses it is answered throughout."""
    page.get_by_role("link", name="Live").click()
    expect(page.get_by_text("Watching")).to_be_visible()
    rows, count, missed = (page.locator(f"[data-{name}]") for name in ("events", "count", "missed"))
    row = rows.locator("tr")
    while gateway.send("0A1B") != httpx.codes.ACCEPTED:  # the key is not known there yet
        page.wait_for_timeout(100)
    expect(row.filter(has_text="posted")).to_be_visible()
    before = read_number(count)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.evaluate(RECORD_FRAMES)

    began = time.monotonic()
    gateway.start()
    costs = [measure(page, devtools)]
    for third in (1, 2, 3):
        wait_for_events(page, gateway, before + EVENTS * third // 3)
        costs.append(measure(page, devtools))
        assert row.count() <= ROWS
        if third == 1:  # under full load
            page.get_by_role("button", name="Pause").click()
            top = row.first.text_content()
            expect(page.get_by_text(re.compile(r"\d{3} came since"))).to_be_visible()
            assert row.first.text_content() == top
            page.get_by_role("button", name="Go on").click()
            expect(row.first).not_to_have_text(top or "")
    seconds = time.monotonic() - began
    gaps = sorted(page.evaluate("window.gaps"))

    assert gateway.refused == []
    assert read_number(count) + read_number(missed) == before + EVENTS, "what is not shown is said to be missed"
    first, _, last = (after - earlier for earlier, after in pairwise(costs))
    whole = costs[-1] - costs[0]
    figures = json.dumps(
        {
            "events a minute": round(whole.events / seconds * 60),
            "milliseconds of an event": [round(each.per_event * 1_000, 3) for each in (first, last)],
            "busy": round(whole.all_seconds / seconds, 2),
            "milliseconds between frames": [round(gaps[len(gaps) * part // 100]) for part in (50, 95)],
            "missed": read_number(missed),
        }
    )
    print(figures)  # noqa: T201 - for whoever looks at what was measured
    assert whole.events / seconds * 60 > EVENTS_A_MINUTE, figures
    assert last.per_event < GROWTH * first.per_event, figures
    assert whole.all_seconds / seconds < BUSY, figures
    assert gaps[len(gaps) // 2] < FRAME_MILLISECONDS, figures

    gateway.send("0A1C")  # of no device: what happens last stands first
    expect(row.first).to_contain_text("serial_unknown")
    expect(row.first).to_contain_text("0A1C")
