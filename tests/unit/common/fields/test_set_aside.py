"""Items that are no uplink, and by what they are known."""

import pytest

from common.envelope import Item, Query
from common.fields.field_map import parse_field_map
from common.fields.finding import find_set_aside


@pytest.mark.parametrize(
    ("conditions", "item", "query", "met"),
    [
        ("join_accept", {"join_accept": {}}, {}, "join_accept"),
        ("join_accept", {"join_accept": None}, {}, None),
        ("join_accept", {"uplink_message": {}}, {}, None),
        ("a,b", {"b": 0}, {}, "b"),
        ("cmd!=rx", {"cmd": "gw"}, {}, "cmd!=rx"),
        ("cmd!=rx", {"cmd": "rx"}, {}, None),
        ("cmd!=rx", {}, {}, None),
        ("cmd!=rx", {"cmd": 7}, {}, None),
        ("type=join", {"type": "join"}, {}, "type=join"),
        ("type=join", {"type": "uplink"}, {}, None),
        ("event!=up", {"data": "x"}, {"event": "join"}, "event!=up"),
        ("event!=up", {"data": "x"}, {"event": ["join", "up"]}, "event!=up"),
        ("event!=up", {"data": "x"}, {"event": "up"}, None),
        ("event!=up", {"data": "x"}, {}, None),
        ("event!=up", {"event": "up"}, {"event": "join"}, None),
        ("event!=up", None, {"event": "join"}, "event!=up"),
        ("meta.type=join", {"meta": {"type": "join"}}, {}, "meta.type=join"),
        ("meta.type=join", {"rssi": 1}, {"meta.type": "join"}, "meta.type=join"),
        ("[n=origin].vs", [{"n": "origin", "vs": "x"}], {}, "[n=origin].vs"),
        ("[n=origin].vs", [{"n": "payload", "vs": "x"}], {}, None),
        ("join|rejoin", {"rejoin": 1}, {}, "join|rejoin"),
        ("a|b.type=join", {"b": {"type": "join"}}, {}, "a|b.type=join"),
    ],
)
def test_an_item_is_set_aside_for_what_it_says_itself(
    conditions: str, item: Item, query: Query, met: str | None
) -> None:
    condition = find_set_aside(parse_field_map(f"set_aside={conditions}"), item, query)
    assert (None if condition is None else str(condition)) == met


def test_without_conditions_every_item_is_an_uplink() -> None:
    assert find_set_aside(parse_field_map("serial=a"), {"join_accept": 1}, {"event": "join"}) is None
