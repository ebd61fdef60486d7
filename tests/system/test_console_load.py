"""The live inspector while thousands of uplinks a minute go by. Imports nothing of Sluice."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import httpx
import pytest
from playwright.sync_api import CDPSession, Locator, Page, expect

from tests.support.console import Running
from tests.support.roles import PROFILE_TOKEN

pytestmark = pytest.mark.browser

STAGES = 4
"""Of each of these uplinks: accepted, mapped, resolved, posted."""

EVENTS_A_MINUTE = 10_000
PART_SECONDS = 4.0

ROWS = 200
GROWTH = 2.0
"""By how much the last part of a steady load may cost the page more than the first. What grows with the page's age
would be many times that, and a measurement of seconds is not exact."""

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


RECORD_STORIES = """
  window.stories = {};
  window.oneIn = 1;
  window.EventSource = class extends EventSource {
    constructor(url) {
      super(url);
      this.addEventListener("uplink", (message) => {
        const { uplink_id, stage } = JSON.parse(message.data);
        (window.stories[uplink_id] ??= []).push(stage);
      });
      this.addEventListener("sampled", (message) => {
        window.oneIn = Math.max(window.oneIn, JSON.parse(message.data).one_in);
      });
    }
  };
"""


@dataclass(frozen=True)
class Load:
    """Requests of so many uplinks each, at a steady rate, in three parts."""

    uplinks: int
    seconds: float
    """From one request to the next."""

    @property
    def requests(self) -> int:
        return 3 * round(PART_SECONDS / self.seconds)


MUCH = Load(uplinks=9, seconds=0.2)
"""45 uplinks a second, which are 10,800 events a minute: less than what the page can use."""

TOO_MUCH = Load(uplinks=17, seconds=0.1)
"""170 uplinks a second."""


class Gateway:
    """Sends at a steady rate, late requests at once: the rate is that of the whole."""

    def __init__(self, url: str, key: str) -> None:
        self.closed = threading.Event()
        self.sent = 0
        self.refused: list[int] = []
        self._client = httpx.Client(base_url=url, headers={"Authorization": key}, timeout=30)
        self._thread: threading.Thread | None = None

    def start(self, load: Load) -> None:
        self._thread = threading.Thread(target=self._send_all, args=[load], daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closed.set()
        if self._thread is not None:
            self._thread.join()
        self._client.close()

    def wait_until_known(self) -> None:
        """Return when the ingest has read the key from the registry; what is asked for that brings no uplink."""
        deadline = time.monotonic() + 30
        while self._client.post("/uplink", json=[]).status_code != httpx.codes.BAD_REQUEST:
            assert time.monotonic() < deadline
            self.closed.wait(0.1)

    def send(self, serial: str, count: int = 1) -> int:
        body = [{"devaddr": serial, "temperature": 20 + number / 10} for number in range(count)]
        return self._client.post("/uplink", json=body).status_code

    def _send_all(self, load: Load) -> None:
        began = time.monotonic()
        for number in range(load.requests):
            if self.closed.wait(max(0.0, began + number * load.seconds - time.monotonic())):
                return
            status = self.send("0A1B", load.uplinks)
            if status != httpx.codes.ACCEPTED:
                self.refused.append(status)
            self.sent += 1


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


def wait_until(page: Page, condition: Callable[[], bool], *, seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, seen()
        page.wait_for_timeout(100)


@pytest.fixture
def gateway(running: Running) -> Iterator[Gateway]:
    gateway = Gateway(running.url("ingest"), register(running))
    gateway.wait_until_known()  # before anybody watches: a refusal is an event as well
    yield gateway
    gateway.close()


@pytest.fixture
def live(page: Page, gateway: Gateway) -> Page:
    """The inspector, which has shown an uplink."""
    page.add_init_script(RECORD_STORIES)
    page.get_by_role("link", name="Live").click()
    expect(page.get_by_text("Watching")).to_be_visible()
    assert gateway.send("0A1B") == httpx.codes.ACCEPTED
    expect(page.locator("[data-events] tr").filter(has_text="posted")).to_be_visible()
    return page


def bear(page: Page, gateway: Gateway, load: Load) -> Cost:
    """Send a load, and check that the page stays as quick as it was; gives what it cost the page."""
    row = page.locator("[data-events] tr")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.evaluate(RECORD_FRAMES)
    began = time.monotonic()
    costs = [measure(page, devtools)]
    gateway.start(load)
    for part in (1, 2, 3):
        wait_until(page, lambda: gateway.sent >= load.requests * part // 3, seen=lambda: gateway.refused)  # noqa: B023
        costs.append(measure(page, devtools))
        assert row.count() <= ROWS
        if part == 1:  # under full load
            page.get_by_role("button", name="Pause").click()
            top = row.first.text_content()
            expect(page.get_by_text(re.compile(r"\d{2} came since"))).to_be_visible()
            assert row.first.text_content() == top
            page.get_by_role("button", name="Go on").click()
            expect(row.first).not_to_have_text(top or "")
    seconds = time.monotonic() - began
    gaps = sorted(page.evaluate("window.gaps"))
    first, _, last = (after - earlier for earlier, after in pairwise(costs))
    whole = costs[-1] - costs[0]
    figures = json.dumps(
        {
            "events a minute": round(whole.events / seconds * 60),
            "seconds of its own": [round(each.own_seconds, 3) for each in (first, last)],
            "busy": round(whole.all_seconds / seconds, 2),
            "milliseconds between frames": [round(gaps[len(gaps) * part // 100]) for part in (50, 95)],
        }
    )
    print(figures)  # noqa: T201 - for whoever looks at what was measured
    assert gateway.refused == []
    assert last.own_seconds < GROWTH * first.own_seconds, figures
    assert whole.all_seconds / seconds < BUSY, figures
    assert gaps[len(gaps) // 2] < FRAME_MILLISECONDS, figures
    return whole


def test_the_page_shows_ten_thousand_events_a_minute(gateway: Gateway, live: Page) -> None:
    """Nothing is missing, every story is whole, and an event costs the page no more at the end."""
    began = time.monotonic()
    bear(live, gateway, MUCH)
    events = (MUCH.uplinks * MUCH.requests + 1) * STAGES
    count = live.locator("[data-count]")
    wait_until(live, lambda: read_number(count) >= events, seen=count.text_content)
    assert events / (time.monotonic() - began) * 60 > EVENTS_A_MINUTE
    assert read_number(count) == events
    for what_is_not_shown in ("missed", "sampled"):
        expect(live.locator(f"[data-{what_is_not_shown}]")).to_be_hidden()
    stories = live.evaluate("window.stories")
    assert len(stories) * STAGES == events
    assert all(len(set(stages)) == STAGES for stages in stories.values())

    gateway.send("0A1C")  # of no device: what happens last stands first
    first = live.locator("[data-events] tr").first
    expect(first).to_contain_text("serial_unknown")
    expect(first).to_contain_text("0A1C")


def is_chosen(uplink_id: str, one_in: int) -> bool:
    """By docs/wire-format.md."""
    group, _, index = uplink_id.rpartition("/")
    return (crc32(group.encode()) + int(index)) % one_in == 0


def test_of_more_uplinks_than_it_can_use_the_page_shows_some_and_says_so(gateway: Gateway, live: Page) -> None:
    """One in so many, each with its whole story, and nothing counts as missed."""
    bear(live, gateway, TOO_MUCH)
    expect(live.locator("[data-sampled]")).to_have_text(re.compile(r"^1 in \d+ uplinks shown"))
    expect(live.locator("[data-missed]")).to_be_hidden()
    one_in = int(live.evaluate("window.oneIn"))
    assert one_in > 1

    def find_cut() -> dict[str, list[str]]:
        """Of the uplinks that every choice had."""
        stories = live.evaluate("window.stories")
        chosen = {each: stages for each, stages in stories.items() if is_chosen(each, one_in)}
        assert 0 < len(chosen) < TOO_MUCH.uplinks * TOO_MUCH.requests / 2
        return {each: stages for each, stages in chosen.items() if len(set(stages)) < STAGES}

    wait_until(live, lambda: not find_cut(), seen=find_cut)
    wait_until(  # everything is shown again once there is less of it
        live,
        lambda: gateway.send("0A1B") == httpx.codes.ACCEPTED and not live.locator("[data-sampled]").is_visible(),
        seen=live.locator("[data-sampled]").text_content,
    )
