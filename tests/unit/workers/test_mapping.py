"""The first stage: what becomes of the fields of an uplink."""

from typing import Any

import pytest

from common.directory.model import AuthorizationKey
from common.envelope import Item
from common.reason import Reason
from common.serial import SerialRule
from tests.support.directories import build_key, build_network
from tests.support.uplinks import build_envelope
from workers import mapping
from workers.mapping import MappedUplink, map_all, map_uplink
from workers.outcome import DeadLettered, RetryLater, SetAside

LORIOT = build_key(field_map="preset=loriot")
NETWORK = build_network(serial=SerialRule(format="FF-FF", force_case="upper"))


def map_items(*items: Item, key: AuthorizationKey) -> tuple[list[MappedUplink], list[Any]]:
    return map_all(build_envelope(*items).uplinks(), key, NETWORK)


def test_an_uplink_is_mapped_by_the_map_of_its_key_and_the_serial_rule_of_its_network() -> None:
    [mapped], [] = map_items({"EUI": "ab-cd", "cmd": "rx", "data": "00"}, key=LORIOT)
    assert (mapped.serial, mapped.carries_payload) == ("ABCD", True)
    assert [record["variable"] for record in mapped.records] == ["serial", "payload", "cmd"]


@pytest.mark.parametrize("item", [{"EUI": "ab-cd", "cmd": "gw"}, {"cmd": "txd"}, {"cmd": "gw", "EUI": "no serial"}])
def test_an_item_that_is_no_uplink_is_set_aside_with_or_without_a_serial(item: Item) -> None:
    mapped, [outcome] = map_items(item, key=LORIOT)
    assert mapped == []
    assert isinstance(outcome, SetAside)
    assert outcome.reason is Reason.NOT_AN_UPLINK


def test_what_is_set_aside_or_dead_stops_no_neighbour() -> None:
    mapped, unmapped = map_items(
        {"EUI": "ab-cd", "cmd": "gw"}, {"EUI": "abcd"}, {"cmd": "rx"}, {"EUI": "xyz"}, key=LORIOT
    )
    assert [each.uplink.index for each in mapped] == [1]
    assert [(each.uplink.index, type(each), each.reason) for each in unmapped] == [
        (0, SetAside, Reason.NOT_AN_UPLINK),
        (2, DeadLettered, Reason.SERIAL_MISSING),
        (3, DeadLettered, Reason.SERIAL_MALFORMED),
    ]


def test_the_event_in_the_query_sets_every_uplink_of_a_request_aside() -> None:
    envelope = build_envelope({"deviceInfo": {"devEui": "abcd"}})
    key = build_key(field_map="preset=chirpstack-v4")
    [uplink] = envelope.uplinks()
    assert isinstance(map_uplink(uplink, key, NETWORK), MappedUplink)
    object.__setattr__(envelope, "query", {"event": "join"})
    assert map_uplink(uplink, key, NETWORK) == SetAside(uplink)


def test_a_bug_met_in_one_uplink_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError

    monkeypatch.setattr(mapping, "find_set_aside", fail)
    [mapped], [outcome] = map_items({"EUI": "abcd"}, {"EUI": "abce"}, key=LORIOT)
    assert mapped.uplink.index == 1
    assert isinstance(outcome, RetryLater)
    assert outcome.reason is Reason.INTERNAL_ERROR
