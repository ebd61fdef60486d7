"""From an uplink to its events."""

from datetime import UTC, datetime

import pytest

from common.events.engine import NO_EVENTS
from common.events.event import Stage
from common.events.telling import UplinkEvents
from common.serial import SerialRule
from tests.support.directories import StaticDirectory, build_directory, build_key, build_network
from tests.support.events import FakeEvents
from tests.support.uplinks import build_envelope
from tests.support.waiting import eventually

LORAWAN = build_network("lorawan", serial=SerialRule("FF-FF", "upper"))
DIRECTORY = StaticDirectory(
    build_directory(build_key("factory", network="lorawan", field_map="serial=devaddr"), networks=(LORAWAN,))
)


@pytest.mark.parametrize(
    ("item", "serial"),
    [
        ({"devaddr": "ab-cd"}, "ABCD"),
        ({"devaddr": "no such form"}, "no such form"),
        ({"devadr": "ab-cd"}, None),
        (None, None),
    ],
)
async def test_an_event_says_whose_it_is_as_the_directory_knows_it(item: dict[str, str], serial: str | None) -> None:
    events = FakeEvents()
    UplinkEvents(events, DIRECTORY).tell(Stage.ACCEPTED, build_envelope(item).uplinks()[0], {"uplinks": 1})
    (event,) = events.told
    assert (event.uplink_id, event.key, event.network) == ("6a1f0c52d3b19e4477aa01c9/0", "factory", "lorawan")
    assert (event.serial, event.facts, event.details) == (serial, {"uplinks": 1}, None)


async def test_of_a_key_that_is_not_in_the_directory_only_the_id_is_known() -> None:
    events = FakeEvents()
    UplinkEvents(events, DIRECTORY).tell(Stage.MAPPED, build_envelope(key="gone").uplinks()[0], {})
    (event,) = events.told
    assert (event.key, event.network, event.serial) == ("gone", None, None)


@pytest.mark.parametrize("wanted", [True, False])
async def test_details_travel_only_while_somebody_wants_them(wanted: bool) -> None:
    events = FakeEvents(details=wanted)
    UplinkEvents(events).tell(Stage.MAPPED, build_envelope().uplinks()[0], {}, details={"records": []})
    assert events.told[0].details == ({"records": []} if wanted else None)


async def test_a_bug_met_while_telling_stays_there(capsys: pytest.CaptureFixture[str]) -> None:
    events = FakeEvents()
    broken = StaticDirectory(None)  # type: ignore[arg-type]
    broken.current = object()  # type: ignore[assignment]
    UplinkEvents(events, broken).tell(Stage.MAPPED, build_envelope().uplinks()[0], {})
    assert events.told == []
    assert "event.broken" in capsys.readouterr().out


async def test_an_event_has_the_time_when_it_was_told() -> None:
    events = FakeEvents()
    before = datetime.now(UTC)
    UplinkEvents(events).tell(Stage.MAPPED, build_envelope().uplinks()[0], {})
    after = datetime.now(UTC)
    await eventually(lambda: bool(events.carried))
    assert before <= events.carried[0].time <= after


async def test_an_engine_that_cannot_carry_an_event_keeps_that_to_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events = FakeEvents()
    monkeypatch.setattr(events, "_carry", lambda _: 1 / 0)
    UplinkEvents(events).tell(Stage.MAPPED, build_envelope().uplinks()[0], {})
    assert events.told == []
    assert "event.broken" in capsys.readouterr().out


def test_where_nobody_can_watch_nobody_does() -> None:
    assert not UplinkEvents(NO_EVENTS).watched
