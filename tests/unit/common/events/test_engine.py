"""What is to become an event later: kept for a moment, bounded, and in its turn."""

from dataclasses import replace
from functools import partial

import pytest

from common.events.engine import MOST_KEPT
from common.events.event import Event
from tests.support.events import FakeEvents
from tests.support.waiting import eventually
from tests.unit.common.events.test_event import EVENT


def event(number: int) -> Event:
    return replace(EVENT, facts={"number": number})


def _fail() -> Event:
    raise ValueError("a bug")


def numbers(events: list[Event]) -> list[int]:
    return [each.facts["number"] for each in events]


async def test_what_is_kept_is_made_together_in_its_order() -> None:
    events = FakeEvents()
    for number in range(3):
        events.publish_later(partial(event, number))
    assert events.carried == []
    await eventually(lambda: bool(events.carried))
    assert numbers(events.carried) == [0, 1, 2]


async def test_what_comes_after_a_pause_is_made_as_well() -> None:
    events = FakeEvents()
    for number in (1, 2):
        events.carried.clear()
        events.publish_later(partial(event, number))
        await eventually(lambda: bool(events.carried))
        assert numbers(events.carried) == [number]


async def test_no_more_is_kept_than_the_bound() -> None:
    events = FakeEvents()
    for number in range(MOST_KEPT + 1):
        events.publish_later(partial(event, number))
    assert numbers(events.carried) == list(range(MOST_KEPT))
    await eventually(lambda: len(events.carried) == MOST_KEPT + 1)


async def test_what_is_published_at_once_comes_after_what_was_kept_before_it() -> None:
    events = FakeEvents()
    events.publish_later(partial(event, 1))
    events.publish(event(2))
    assert numbers(events.carried) == [1, 2]


async def test_an_event_that_cannot_be_made_takes_no_other_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    events = FakeEvents()
    events.publish_later(_fail)
    events.publish_later(partial(event, 2))
    assert numbers(events.told) == [2]
    assert "event.broken" in capsys.readouterr().out
