"""The table of presets in docs/field-maps.md cannot go stale."""

import re

import pytest

from common.fields.field_map import parse_field_map
from common.fields.presets import PRESETS
from tests.support.pages import read_page

PAGE = read_page("docs/field-maps.md")


@pytest.mark.parametrize("name", PRESETS)
def test_the_table_of_presets_is_that_of_the_code(name: str) -> None:
    preset = PRESETS[name]
    field_map = parse_field_map(preset.text)
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    paths = [f"`{'.'.join(path)}`" if path else "" for path in (field_map.serial, field_map.payload, field_map.port)]
    aside = ", ".join(f"`{condition}`" for condition in field_map.set_aside.conditions) if field_map.set_aside else ""
    assert cells == [f"`{name}`", preset.server, *paths, aside]
