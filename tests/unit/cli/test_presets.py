"""``sluice presets``: the network servers that are known."""

import orjson
import pytest

from cli.presets import presets
from common.fields.field_map import parse_field_map
from common.fields.presets import PRESETS

pytestmark = pytest.mark.usefixtures("wide")


def test_all_presets_are_listed_with_their_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert presets() == 0
    shown = capsys.readouterr().out
    for name, preset in PRESETS.items():
        field_map = parse_field_map(preset.text)
        assert name in shown
        assert preset.server in shown
        for path in (field_map.serial, field_map.payload, field_map.port):
            assert ".".join(path or ()) in shown


def test_one_preset_is_a_text_to_copy(capsys: pytest.CaptureFixture[str]) -> None:
    assert presets("loriot") == 0
    text = capsys.readouterr().out.strip()
    assert text == PRESETS["loriot"].text
    assert parse_field_map(text).serial == ("EUI",)


def test_presets_are_json_as_well(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert presets(as_json=True) == 0
    document = orjson.loads(capfdbinary.readouterr().out)
    assert {each["preset"]: each["map"] for each in document} == {name: each.text for name, each in PRESETS.items()}


def test_an_unknown_preset_is_told_with_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert presets("chirpstack") == 1
    assert "the closest are chirpstack-v4, chirpstack-v3" in capsys.readouterr().err
