"""Field maps that can be read but cannot work."""

import pytest

from common.fields.contradictions import find_contradictions
from common.fields.field_map import parse_field_map
from common.fields.presets import PRESETS


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("array=one", ["name the serial's path"]),
        ("array=one;serial=devEui", ["begin with a number, as in serial=0.devEui"]),
        ("array=one;serial=0.devEui;payload=data", ["begin with a number, as in payload=0.data"]),
        ("serial=0.devEui", ["write serial=devEui, or say array=one"]),
        ("serial=[n=id].vs", ["write serial=vs, or say array=one"]),
        ("serial=0", ["write serial=…, or say array=one"]),
        ("serial=devEui;payload=devEui", ["serial and payload are both at devEui"]),
        ("serial=devEui;set_aside=devEui", ["sets every item aside that has its serial there"]),
    ],
)
def test_what_cannot_work_is_told_with_what_to_do(text: str, problems: list[str]) -> None:
    found = find_contradictions(parse_field_map(text))
    assert len(found) == len(problems)
    for told, problem in zip(found, problems, strict=True):
        assert problem in told


@pytest.mark.parametrize(
    "text", ["", "serial=devaddr;payload=payload_raw;port=fport", *(f"preset={name}" for name in PRESETS)]
)
def test_a_map_that_can_work_has_no_contradictions(text: str) -> None:
    assert find_contradictions(parse_field_map(text)) == []
