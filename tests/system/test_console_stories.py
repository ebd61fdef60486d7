"""What the live inspector tells of one uplink, and what it says that it cannot know. Imports nothing of Sluice."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import poll, sign_in
from tests.support.console import Running

pytestmark = pytest.mark.browser

UPLINK = "6a1f0c52d3b19e4477aa01c9/0"
SENT = {"arrived_at": "2026-11-21T12:00:00Z", "query": {"event": "up"}, "item": {"devaddr": "0A1B"}}

ACCEPTED_UNSEEN = "That it was accepted was not seen: this page knows nothing of what was before it was opened."
FILTERED = (
    "Only events with the reason serial_unknown are asked for, by the filter above: every other stage is unknown here."
)
LEFT_OUT_FOR_A_TIME = "There were more uplinks than are shown: this one may have been left out for a time."
ON_ITS_WAY = "As far as this page has seen, it is still on its way."


def event(stage: str, second: int = 0, details: dict[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    """Give an event as the page gets it."""
    return {
        "time": f"2026-11-21T12:00:{second:02}Z", "stage": stage, "uplink_id": UPLINK, "key": "factory",
        "network": None, "serial": "0A1B", "reason": None, "facts": facts, "details": details,
    }  # fmt: skip


def run_module(page: Page, script: str, given: object) -> Any:
    """Run a script that is given what the module of stories has, as ``stories``, and a value, as ``given``."""
    return page.evaluate(f"async (given) => {{ const stories = await import('/static/stories.js'); {script} }}", given)


def test_a_story_says_what_it_leaves_open(page: Page) -> None:
    accepted, mapped, posted = event("accepted"), event("mapped", attempt=1), event("posted", attempt=1)
    retried = event("retried", attempt=1, wait_seconds=5)
    cases: list[tuple[list[dict[str, Any]], dict[str, Any], list[str]]] = [
        ([accepted, mapped, posted], {}, []),
        ([accepted, mapped], {}, [ON_ITS_WAY]),
        ([accepted, retried], {}, [ON_ITS_WAY]),
        ([mapped, posted], {}, [ACCEPTED_UNSEEN]),
        (
            [event("mapped", attempt=3), event("dead", attempt=3)],
            {},
            [ACCEPTED_UNSEEN, "Of its attempts before number 3, nothing was seen."],
        ),
        (
            [event("dead", attempt=3)],
            {"reason": "serial_unknown"},
            [FILTERED],
        ),
        (
            [accepted, posted],
            {"missed": "12 events did not come to this page"},
            ["12 events did not come to this page: they may belong here."],
        ),
        ([accepted, mapped, posted], {"sampled": True}, []),
        ([mapped, posted], {"sampled": True}, [ACCEPTED_UNSEEN, LEFT_OUT_FOR_A_TIME]),
        ([accepted, mapped], {"sampled": True}, [LEFT_OUT_FOR_A_TIME, ON_ITS_WAY]),
        (
            [accepted, event("mapped", left_out=["records"]), posted],
            {},
            ["Left out, because it is too large for an event: records."],
        ),
    ]
    for events, known, gaps in cases:
        script = "return stories.findGaps(given.events, given.known);"
        assert run_module(page, script, {"events": events, "known": {"missed": ""} | known}) == gaps


def test_the_request_is_told_by_whichever_event_has_it(page: Page) -> None:
    script = "return stories.findRequest(given);"
    accepted = event("accepted", details={"query": SENT["query"], "item": SENT["item"]}, uplinks=2)
    accepted["facts"]["arrived_at"] = SENT["arrived_at"]
    known = {"key": "factory", "serial": "0A1B", "arrived_at": SENT["arrived_at"]}
    found = run_module(page, script, [accepted, event("posted", uplinks=9, seconds=0.1)])
    assert found == {**known, "uplinks": 2, "sent": accepted["details"]}
    assert run_module(page, script, [event("mapped", details=SENT)]) == {**known, "sent": SENT}
    assert run_module(page, script, [event("resolved")]) == {"key": "factory", "serial": "0A1B"}


def test_stories_are_told_in_the_order_of_time_and_forgotten_but_for_those_that_are_shown(page: Page) -> None:
    told = """
      const kept = new stories.Stories();
      for (const event of given) kept.add(event, 1);
      return kept.find(given[0].uplink_id).map((event) => event.stage);
    """
    assert run_module(page, told, [event("posted", 3), event("accepted", 1), event("mapped", 2)]) == [
        "accepted", "mapped", "posted"
    ]  # fmt: skip
    forgotten = """
      const kept = new stories.Stories();
      kept.hold("shown");
      for (const uplink of ["shown", "first", "second", "third"]) {
        kept.add({ ...given, uplink_id: uplink }, 6_000_000);
      }
      const left = ["shown", "first", "second", "third"].filter((uplink) => kept.find(uplink).length);
      kept.release("shown");
      for (const uplink of ["fourth", "fifth", "sixth"]) kept.add({ ...given, uplink_id: uplink }, 6_000_000);
      return [left, kept.find("shown").length];
    """
    assert run_module(page, forgotten, event("accepted")) == [["shown", "second", "third"], 0]
    held = """
      const kept = new stories.Stories();
      for (const uplink of ["one", "other"]) kept.hold(uplink);
      for (const uplink of ["one", "other", "one"]) kept.add({ ...given, uplink_id: uplink }, 12_000_000);
      return ["one", "other"].map((uplink) => kept.find(uplink).length);
    """
    assert run_module(page, held, event("accepted")) == [2, 1]


def find_letter(running: Running, page: Page) -> None:
    """Have an uplink die, and go to its dead letter."""
    page.get_by_role("link", name="Keys").click()
    page.get_by_label("Name of a new key").fill("Gateway")
    page.get_by_role("button", name="Create key").click()
    key = page.locator("code.secret").inner_text()
    poll(lambda: running.send(key, {"serial": "ffffff", "level": 5}) == 202)
    page.goto("/dead")
    letter = page.locator("a[href^='/dead/letters/']").first
    poll(lambda: page.reload() and letter.count())
    letter.click()
    expect(page.get_by_role("button", name="Replay this letter")).to_be_visible()


def test_whoever_opens_the_page_late_sees_the_request_and_what_was_not_seen(running: Running, page: Page) -> None:
    """An uplink that was accepted before the page was opened, and is replayed while it is."""
    find_letter(running, page)
    live = page.context.new_page()
    live.goto("/live?stage=dead")
    expect(live.get_by_text("Watching")).to_be_visible()
    page.get_by_role("button", name="Replay this letter").click()
    row = live.get_by_role("row").filter(has_text="serial_unknown")
    row.get_by_role("button").click()
    expect(live.get_by_role("region", name="This uplink")).to_contain_text('"level": 5')
    expect(live.locator("[data-story-gaps] li")).to_have_text([ACCEPTED_UNSEEN])
    steps = live.locator("[data-story-steps] li")
    expect(steps).to_have_count(2)
    expect(steps.first).to_contain_text("mapped")
    expect(steps.last).to_contain_text("serial_unknown")


def test_while_the_console_is_away_its_pages_say_what_is_not_known(chromium: Browser, running: Running) -> None:
    letter = chromium.new_context(base_url=running.url("console")).new_page()
    sign_in(letter)
    find_letter(running, letter)
    live = letter.context.new_page()
    live.goto("/live")
    expect(live.get_by_text("Watching")).to_be_visible()
    expect(live.locator("[data-missed]")).to_be_hidden()
    running.process.terminate()
    expect(live.get_by_text("Connection lost, trying again…")).to_be_visible()
    lost = "Some events may not have come to this page: the connection to the console was lost."
    expect(live.locator("[data-missed]")).to_have_text(lost)
    letter.get_by_label("Additional Parameter").fill("serial=level")
    expect(letter.locator("#tried")).to_contain_text("This map was not tried")
