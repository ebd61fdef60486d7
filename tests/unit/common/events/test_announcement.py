"""Who watches, and which events that is about."""

import orjson
import pytest

from common.events.announcement import (
    MOST_VALUES,
    Announcement,
    AnnouncementUnreadableError,
    EventFilter,
    announcement_to_document,
    decode_announcement,
    encode_announcement,
)
from common.reason import Reason
from tests.unit.common.events.test_event import EVENT

EVERYTHING = EventFilter()
ANNOUNCEMENT = Announcement(
    "tail-4711-0a1b2c3d",
    EventFilter(frozenset({"AA", "BB"}), frozenset({"factory"})),
    details=True,
    uplinks_per_second=50,
)


def some(*values: str) -> frozenset[str]:
    return frozenset(values)


@pytest.mark.parametrize(
    ("event_filter", "fits"),
    [
        (EVERYTHING, True),
        (EventFilter(serials=some("12BAB34B55")), True),
        (EventFilter(serials=some("12-ba-b3-4b-55")), True),
        (EventFilter(serials=some("12:BA:B3:4B:55", "AA")), True),
        (EventFilter(serials=some("12BAB34B5")), False),
        (EventFilter(keys=some("factory")), True),
        (EventFilter(keys=some("Factory")), False),
        (EventFilter(networks=some("lorawan", "plain")), True),
        (EventFilter(networks=some("plain")), False),
        (EventFilter(reasons=some(Reason.SERIAL_UNKNOWN)), True),
        (EventFilter(reasons=some("serial_unknown")), True),
        (EventFilter(reasons=some(Reason.VALUE_REFUSED)), False),
        (EventFilter(keys=some("factory"), reasons=some(Reason.VALUE_REFUSED)), False),
        (EventFilter(some("12BAB34B55"), some("factory"), some("lorawan"), some(Reason.SERIAL_UNKNOWN)), True),
    ],
)
def test_an_event_has_to_fit_every_field_with_one_of_its_values(event_filter: EventFilter, fits: bool) -> None:
    assert event_filter.fits(EVENT) is fits


@pytest.mark.parametrize("field", ["serials", "keys", "networks", "reasons"])
def test_an_event_that_does_not_know_a_field_fits_no_filter_for_it(field: str) -> None:
    event_filter = EventFilter(**{field: some("anything")})
    assert not event_filter.fits(type(EVENT)(EVENT.time, EVENT.stage, None))


def test_an_announcement_comes_out_as_it_went_in() -> None:
    assert decode_announcement(encode_announcement(ANNOUNCEMENT)) == ANNOUNCEMENT


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"viewer": None},
        {"viewer": "short"},
        {"viewer": "sluice.uplinks-and-more"},
        {"serials": "AA"},
        {"serials": None},
        {"keys": [1]},
        {"uplinks_per_second": 0},
        {"uplinks_per_second": "50"},
        {"uplinks_per_second": True},
        {"networks": ["n"] * (MOST_VALUES + 1)},
    ],
)
def test_what_is_no_announcement_is_refused(changes: dict[str, object]) -> None:
    document = {"version": 1, **announcement_to_document(ANNOUNCEMENT), **changes}
    with pytest.raises(AnnouncementUnreadableError):
        decode_announcement(orjson.dumps(document))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(AnnouncementUnreadableError):
        decode_announcement(body)
