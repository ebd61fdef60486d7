"""Which device parameters a network or a connector may have, and which values they take."""

from typing import Any

import pytest
from pydantic import ValidationError

from registry.device_parameters import DeviceParameter, check_params
from registry.refusal import RefusedError

EU, US = {"label": "Europe", "value": "eu"}, {"label": "America", "value": "us"}


def build(**fields: Any) -> DeviceParameter:
    return DeviceParameter.model_validate({"name": "a", **fields})


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"type": "text"}, None),
        ({"type": "text", "default": ""}, ""),
        ({"type": "text", "default": "on", "label": "A", "group": "hide"}, "on"),
        ({"type": "number", "default": "-1.5"}, "-1.5"),
        ({"type": "number", "default": 7}, "7"),
        ({"type": "switch"}, None),
        ({"type": "switch", "default": True}, "true"),
        ({"type": "switch", "default": False}, "false"),
        ({"type": "dropdown", "options": [EU, US]}, None),
        ({"type": "dropdown", "options": [EU, US], "default": "us"}, "us"),
        ({"type": "dropdown", "options": [EU, {**US, "is_default": True}]}, "us"),
    ],
)
def test_each_type_has_a_first_value_of_its_kind(fields: dict[str, Any], first: str | None) -> None:
    assert build(**fields).first_value == first


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "text", "default": True}, "the default of a switch is a boolean"),
        ({"type": "switch", "default": "true"}, "the default of a switch is a boolean"),
        ({"type": "number", "default": "ten"}, "the default must be a number"),
        ({"type": "dropdown"}, "a dropdown needs options"),
        ({"type": "dropdown", "options": []}, "a dropdown needs options"),
        ({"type": "text", "options": [EU]}, "nothing else has them"),
        ({"type": "dropdown", "options": [EU, EU]}, "two options have the same value"),
        ({"type": "dropdown", "options": [{**o, "is_default": True} for o in (EU, US)]}, "only one option"),
        ({"type": "dropdown", "options": [EU], "default": "us"}, "the default must be one of eu"),
        ({"type": "text", "group": "sub"}, "Input should be 'default', 'main', 'advanced' or 'hide'"),
        ({"type": "slider"}, "Input should be 'text', 'number', 'dropdown' or 'switch'"),
    ],
)
def test_a_parameter_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        build(**fields)


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"type": "text"}, ["", "x"], []),
        ({"type": "number"}, ["1", "-1.5", "1e3"], ["", "x", "nan"]),
        ({"type": "switch"}, ["true", "false"], ["", "True", "1"]),
        ({"type": "dropdown", "options": [EU]}, ["eu"], ["", "Europe"]),
    ],
)
def test_a_devices_value_is_checked_by_its_type(fields: dict[str, Any], good: list[str], bad: list[str]) -> None:
    for value in good:
        check_params([build(**fields)], [{"key": "a", "value": value}])
    for value in bad:
        with pytest.raises(RefusedError, match=r"configuration_params\.a: must be"):
            check_params([build(**fields)], [{"key": "a", "value": value}])


def test_where_two_have_one_name_the_last_counts() -> None:
    check_params([build(type="number"), build(type="text")], [{"key": "a", "value": "x"}, {"key": "own", "value": "y"}])
